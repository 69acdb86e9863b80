"""What of a notebook server passes: a list of routes by which bytes may go in or out. What is not here does not exist.

Closed by not being here: files/, nbconvert/, view/, api/terminals, api/shutdown, metrics, lsp, kernelspecs/<name>/…,
lab/extensions, lab/api/{build,extensions,plugins,news,update,licenses}, custom/, login, logout.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["page", "static", "json", "contents", "channel"]
MOST_BODY = 4 << 20  # bytes of one request
MOST_TEXT = 1 << 20  # bytes of one text file shown
MOST_NOTEBOOK = 12 << 20  # bytes of one notebook, figures in it included
MOST_ANSWER = 16 << 20
MOST_MESSAGE = 2 << 20  # bytes of one message of a kernel
EDITED = (".ipynb", ".py", ".r", ".sql", ".md", ".txt", ".yaml", ".toml")  # what people write; results leave as outputs


@dataclass(frozen=True)
class Route:
    kind: Kind
    methods: frozenset[str]
    path: re.Pattern[str]


def _route(kind: Kind, methods: str, path: str) -> Route:
    return Route(kind, frozenset(methods.split()), re.compile(path))


NAME = r"[\w-]{1,64}"
ROUTES = (
    _route("page", "GET", r"lab(/tree/.*|/workspaces/[\w-]+(/tree/.*)?)?"),
    _route("static", "GET", r"static/lab/[\w.-]+(/[\w.-]+)*"),
    _route("static", "GET", r"lab/api/themes/[@\w.-]+(/[\w.-]+)*"),
    _route("json", "GET", r"lab/api/(settings|translations|workspaces)(/[@\w:.%/-]*)?"),
    _route("json", "PUT DELETE", r"lab/api/(settings|workspaces)/[@\w:.%/-]+"),
    _route("json", "GET", r"api/(me|kernelspecs|status)"),
    _route("json", "GET POST", r"api/(kernels|sessions)"),
    _route("json", "GET DELETE PATCH", rf"api/(kernels|sessions)/{NAME}"),
    _route("json", "POST", rf"api/kernels/{NAME}/(interrupt|restart)"),
    _route("contents", "GET POST PUT PATCH DELETE", r"api/contents(/.*)?"),
    _route("channel", "WEBSOCKET", rf"api/kernels/{NAME}/channels"),
    _route("channel", "WEBSOCKET", r"api/events/subscribe"),
)


def find(method: str, path: str) -> Route | None:
    """The route of a request below a session's address, or nothing. The path is decoded."""
    if ".." in path.split("/") or "\\" in path or "\x00" in path or "//" in path:
        return None
    return next((route for route in ROUTES if method in route.methods and route.path.fullmatch(path)), None)


def refused_in(method: str, path: str, body: bytes) -> str:
    """Why a change of a file is not passed in; empty if it is. Files come in through the import check, not here."""
    if method not in {"PUT", "POST", "PATCH"}:
        return ""
    try:
        wanted = json.loads(body or b"{}")
    except ValueError:
        return "not-json"
    if not isinstance(wanted, dict):
        return "not-json"
    if "chunk" in wanted or wanted.get("format") not in {None, "text", "json"}:
        return "upload"
    if wanted.get("type") not in {None, "file", "notebook", "directory"}:
        return "type"
    target = str(wanted.get("path") or path) if method == "PATCH" else path
    checkpoint = re.search(r"/checkpoints(/[\w-]*)?$", path)
    if method in {"PUT", "PATCH"} and wanted.get("type") != "directory" and not checkpoint and not edited(target):
        return "ending" if "." in target.rpartition("/")[2] or method == "PUT" else ""
    if wanted.get("ext") and not edited(f"x{wanted['ext']}"):
        return "ending"
    return ""


def refused_out(body: bytes) -> str:
    """Why what the contents service says is not passed on; empty if it is."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return "not-json"
    if not isinstance(found, dict) or found.get("content") is None or found.get("type") == "directory":
        return ""
    if found.get("format") not in {"text", "json"}:
        return "binary"
    if not edited(str(found.get("path", ""))):
        return "ending"
    most = MOST_NOTEBOOK if found.get("type") == "notebook" else MOST_TEXT
    return "size" if _size(found["content"]) > most else ""


def edited(name: str) -> bool:
    """Whether a file of this name is one that people write."""
    return name.lower().endswith(EDITED)


def _size(content: Any) -> int:
    return len(content.encode() if isinstance(content, str) else json.dumps(content).encode())
