"""A site's own settings: one commented TOML file in the site's folder, plus the environment for secrets.

The folder is named by ANSIM_SITE; everything a site owns lies in it.
"""

import os
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ansim.errors import N_, Problem

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
TABLES = {  # tables whose keys are all known
    "keeper": {"socket", "serves"},
    "tls": {"certificate", "key"},
    "network": {"ca", "proxy", "behind"},
    "logs": {"file", "days"},
    "mail": {"host", "port", "tls", "user", "password_file", "sender", "to"},
}
KINDS = ("hub", "holder", "centre", "keyagency", "user")


@dataclass(frozen=True)
class Site:
    """What site.toml says. `roots` are the pinned public keys (JWK) that sign the site directory."""

    folder: Path
    id: str
    kind: str
    name: dict[str, str]
    host: str = "127.0.0.1"
    port: int = 8000
    hub: str = "hub"
    hub_url: str = ""
    transport: str = "http"
    demo: bool = False
    roots: tuple[dict, ...] = ()
    threshold: int = 1
    ministry: dict = field(default_factory=dict)
    skew_seconds: int = 300
    member_list_days: int = 14
    witness_seconds: float = 5.0
    workers: int = 2
    processes: int = 1
    database: str = ""
    policy: dict[str, Any] = field(default_factory=dict)
    board: dict[str, Any] = field(default_factory=dict)
    keeper: dict[str, str] = field(default_factory=dict)
    tls: dict[str, str] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, Any] = field(default_factory=dict)
    mail: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def socket(self) -> Path:
        """Where the key process listens: in the site's folder, or apart (a service of its own with its own user)."""
        return Path(self.keeper.get("socket") or self.folder / "keeper.sock")

    @property
    def web_key(self) -> Path:
        """The secret of sessions and forms: beside the keys, or outside their folder where that one is hidden."""
        apart = self.path("web.key")
        return apart if apart.exists() else self.path("keys", "web.key")

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)


def read(folder: Path) -> Site:
    """The site in this folder; raises Problem naming the file and key that are wrong."""
    file = folder / "site.toml"
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise Problem(
            "no-site",
            N_("There is no site here: {file} is missing."),
            file=str(file),
            remedy=N_("Make one with `ansim init`."),
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise Problem("bad-toml", N_("The file cannot be read: {error}."), where=str(file), error=str(error)) from error
    trust = data.pop("trust", {})
    known = set(Site.__dataclass_fields__) - {"folder", "roots", "threshold", "ministry"}
    unknown = sorted(set(data) - known)
    if unknown:
        raise Problem("unknown-setting", N_("Unknown setting: {names}."), where=str(file), names=", ".join(unknown))
    if data.get("kind") not in KINDS:
        raise Problem("bad-kind", N_("kind must be one of {kinds}."), where=f"{file}: kind", kinds=", ".join(KINDS))
    for key in ("id", "name"):
        if key not in data:
            raise Problem("missing-setting", N_("The setting {key} is missing."), where=str(file), key=key)
    if not ID.fullmatch(str(data["id"])):
        raise Problem("bad-id", N_("The id is made of a-z, 0-9 and hyphens, at most 60."), where=f"{file}: id")
    for table, names in TABLES.items():
        if wrong := sorted(set(data.get(table, {})) - names):
            raise Problem(
                "unknown-setting", N_("Unknown setting: {names}."), where=f"{file}: {table}", names=", ".join(wrong)
            )
    if data.get("tls") and set(data["tls"]) != TABLES["tls"]:
        raise Problem("bad-tls", N_("TLS needs a certificate and its key."), where=f"{file}: tls")
    if type(data.get("processes", 1)) is not int or not 1 <= data.get("processes", 1) <= 64:
        raise Problem("bad-processes", N_("A site has 1 to 64 web processes."), where=f"{file}: processes")
    if type(trust.get("threshold", 1)) is not int or trust.get("threshold", 1) < 1:
        raise Problem("bad-threshold", N_("At least one root must sign the directory."), where=f"{file}: threshold")
    return Site(
        folder=folder.resolve(),
        roots=tuple(trust.get("roots", ())),
        threshold=trust.get("threshold", 1),
        ministry=trust.get("ministry", {}),
        **data,
    )


@cache
def site() -> Site:
    """The site of this process."""
    folder = os.environ.get("ANSIM_SITE")
    if not folder:
        raise Problem("no-site", N_("ANSIM_SITE does not name a site folder."), remedy=N_("Use `ansim serve FOLDER`."))
    return read(Path(folder))


def passphrase(folder: Path) -> bytes:
    """The passphrase that wraps the site's keys: a systemd credential, or the file ANSIM_PASSPHRASE_FILE names."""
    candidates = []
    if directory := os.environ.get("CREDENTIALS_DIRECTORY"):
        candidates.append(Path(directory) / "ansim-passphrase")
    if file := os.environ.get("ANSIM_PASSPHRASE_FILE"):
        candidates.append(Path(file))
    for candidate in candidates:
        if candidate.is_file():
            return candidate.read_bytes().strip()
    raise Problem(
        "no-passphrase",
        N_("The keys of {folder} are wrapped, and no passphrase was given."),
        folder=str(folder),
        remedy=N_("Set ANSIM_PASSPHRASE_FILE, or the systemd credential ansim-passphrase."),
    )
