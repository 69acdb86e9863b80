"""Making a site: its folder, its keys, its settings. Nothing is overwritten."""

import json
import secrets
from pathlib import Path
from typing import Any

from ansim.errors import N_, Problem
from ansim.sites.config import KINDS
from ansim.sites.keeper.keystore import Keystore, public, write_private

KEYS = {"site": "sig", "receive": "enc"}
COMMENTS = {
    "id": "The site's name in the directory; it never changes.",
    "kind": f"One of {', '.join(KINDS)}.",
    "name": "What people read.",
    "host": "Where this site listens. Put a TLS proxy in front of it.",
    "port": None,
    "hub": "The hub's id and address; this site only ever calls out to it.",
    "hub_url": None,
    "transport": '"http", or "folder" for a separated network: files in out/ and in/.',
    "demo": "A demo site has a movable clock and takes only demo trust roots.",
    "member_list_days": "A member list older than this many days is not relied on.",
    "witness_seconds": "How often a grown ledger's head is told to the witnesses.",
    "processes": "How many processes answer pages and polls; more than one with PostgreSQL.",
    "policy": "Disclosure control: see docs/privacy.md.",
    "board": "The review board's members and rules.",
    "keeper": "The key process as a service of its own: its socket, and the user whose web process it serves.",
    "tls": "Certificate and key (PEM files) when this site answers HTTPS itself, without a proxy in front.",
    "network": "Calls to the hub: ca (PEM of a private CA), proxy (URL). behind: addresses of TLS proxies in front.",
    "logs": "A file (turned over at midnight, kept for `days`) instead of standard error.",
    "mail": "A mail server, and to whom trouble is told: host, port, tls, user, password_file, sender, to.",
    "options": 'second_factor: roles that need one, or "all"; without it nobody in a demo, everybody elsewhere.',
}


def make(
    folder: Path,
    *,
    id: str,
    kind: str,
    name: dict[str, str],
    passphrase: bytes,
    trust: dict[str, Any],
    extra_keys: dict[str, str] | None = None,
    **settings: Any,
) -> dict[str, dict]:
    """A new site folder; gives the public keys, which the trust root's keepers enter into the directory."""
    if kind not in KINDS:
        raise Problem("bad-kind", N_("kind must be one of {kinds}."), kinds=", ".join(KINDS))
    if (folder / "site.toml").exists():
        raise Problem("site-exists", N_("{folder} is a site already."), folder=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "keys" / "keys.sealed").exists():  # an earlier try was cut off: its keys are as good as new ones
        store = Keystore(folder / "keys", passphrase)
        for key, use in (extra_keys or {}).items():
            store.add(key, use)
    else:
        store = Keystore.create(folder / "keys", passphrase, {**KEYS, **(extra_keys or {})})
    write_private(folder / "keys" / "web.key", secrets.token_hex(32).encode())
    values = {"id": id, "kind": kind, "name": name, **settings}
    temporary = folder / ".site.toml"
    temporary.write_text(_toml(values, trust), encoding="utf-8")
    temporary.replace(folder / "site.toml")  # written last: a folder with it is whole
    return {key: public(value) for key, value in store.keys.items()}


def _toml(values: dict[str, Any], trust: dict[str, Any]) -> str:
    lines = ["# Settings of one Ansim site. `ansim doctor FOLDER` checks them.", ""]
    tables = []
    for key, value in values.items():
        if isinstance(value, dict) and key != "name":
            tables.append(f"\n# {COMMENTS.get(key) or key}\n[{key}]")
            tables += [f"{name} = {_value(each)}" for name, each in value.items()]
            continue
        if comment := COMMENTS.get(key):
            lines.append(f"# {comment}")
        lines.append(f"{key} = {_value(value)}")
    lines += tables
    lines += [
        "",
        "# Pinned at pairing, compared out of band by two people: who signs the site directory, and the ministry.",
        "[trust]",
    ]
    lines += [f"{name} = {_value(value)}" for name, value in trust.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's, but DEL
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_value(key)} = {_value(each)}" for key, each in value.items()) + " }"
    return "[" + ", ".join(_value(each) for each in value) + "]"
