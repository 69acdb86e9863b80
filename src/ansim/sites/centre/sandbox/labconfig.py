"""The settings of JupyterLab inside the sandbox: read-only for who works there.

They are convenience, not control: a kernel can rewrite its server's memory. What must hold, the proxy holds.
"""

import json
from pathlib import Path

from .languages import INSIDE, PATHS, PYTHON

NAME = "jupyterlab"
# Plugins that offer what the proxy refuses, or that run what a notebook brings along.
DISABLED = (
    "@jupyterlab/apputils-extension:announcements", "@jupyterlab/apputils-extension:print",
    "@jupyterlab/debugger-extension", "@jupyterlab/docmanager-extension:download",
    "@jupyterlab/extensionmanager-extension", "@jupyterlab/filebrowser-extension:download",
    "@jupyterlab/filebrowser-extension:share-file", "@jupyterlab/filebrowser-extension:open-browser-tab",
    "@jupyterlab/filebrowser-extension:open-url", "@jupyterlab/htmlviewer-extension", "@jupyterlab/hub-extension",
    "@jupyterlab/javascript-extension", "@jupyterlab/lsp-extension", "@jupyterlab/notebook-extension:export",
    "@jupyterlab/pdf-extension", "@jupyterlab/pluginmanager-extension", "@jupyterlab/terminal-extension",
    "@jupyterlab/vega5-extension", "@jupyterlab/services-extension:terminal-manager", "jupyterlab_pygments",
)  # fmt: skip
SERVER = {
    "ServerApp": {
        "allow_remote_access": True,  # the Host header is the proxy's affair
        "allow_root": False,
        "allow_unauthenticated_access": True,  # who comes through the socket was let in outside
        "contents_manager_class": "jupyter_server.services.contents.largefilemanager.AsyncLargeFileManager",
        "disable_check_xsrf": True,  # the proxy looks at the Origin of whatever changes something
        "jpserver_extensions": {"jupyterlab": True, "jupyter_server_terminals": False, "jupyter_lsp": False},
        "ip": "127.0.0.1",  # its default is found out by opening a socket
        "open_browser": False,
        "quit_button": False,
        "root_dir": "/work",
        "terminals_enabled": False,
    },
    "IdentityProvider": {"token": ""},
    "KernelManager": {"transport": "ipc"},
    "KernelSpecManager": {"allowed_kernelspecs": ["python3"], "ensure_native_kernel": False},
    "LabApp": {
        "app_dir": "/packages/share/jupyter/lab",
        "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "extension_manager": "readonly",
        "news_url": None,
        "user_settings_dir": "/tmp/lab/settings",  # noqa: S108 - inside the sandbox
        "workspaces_dir": "/tmp/lab/workspaces",  # noqa: S108
    },
    "NotebookNotary": {"secret_file": "/tmp/lab/secret", "db_file": ":memory:"},  # noqa: S108
    "ContentsManager": {"allow_hidden": False},
}
ENVIRONMENT = {
    "JUPYTER_CONFIG_DIR": "/code",
    "JUPYTER_DATA_DIR": "/code/share",
    "JUPYTER_PATH": "/packages/share/jupyter",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_RUNTIME_DIR": "/tmp/r",  # noqa: S108 - short: names of Unix sockets have 107 bytes at most
    "PYTHONPATH": "/packages",
}


def write(folder: Path) -> None:
    """The configuration folder, which the sandbox sees as /code."""
    kernel = folder / "share" / "kernels" / "python3"
    (folder / "labconfig").mkdir(parents=True)
    kernel.mkdir(parents=True)
    (folder / "jupyter_server_config.json").write_text(json.dumps(SERVER))
    page = {"disabledExtensions": dict.fromkeys(DISABLED, True)}
    (folder / "labconfig" / "page_config.json").write_text(json.dumps(page))
    program = PATHS + (INSIDE / "kernel.py").read_text("utf-8")
    command = [PYTHON, "-I", "-c", program, "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python", "language": "python", "metadata": {"debugger": False}}
    (kernel / "kernel.json").write_text(json.dumps(spec))
