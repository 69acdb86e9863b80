"""What a site knows of the others, from people it trusts and never from the hub that carries it.

Three kinds of notice, each signed, numbered, and valid for a while: the *site directory* (signed k of n by the pinned
offline roots), each organisation's *member list* (signed by the organisation's key, which the directory names), and the
ministry's *designations*. A notice is taken only if its number is higher than the last one's; a stale one is not used,
so whoever withholds news makes the node refuse rather than believe.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansim import documents
from ansim.errors import N_, Problem
from ansim.sites.exchange import signed

AHEAD = timedelta(days=1)  # how far a notice may be dated ahead of this clock
SITE = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


@dataclass(frozen=True)
class Trust:
    """What is pinned at pairing: the directory's root keys and how many must sign, the ministry's key, and whether
    this is a demo nation (a real site refuses a demo directory and the other way round)."""

    roots: tuple[dict, ...]
    threshold: int
    ministry: dict
    demo: bool


def name_of(document: Any) -> str:
    """Where a notice is kept: "directory", "designations", or "members:<organisation>"."""
    kind = document.get("ansim") if isinstance(document, dict) else None
    if kind == "members/1" and isinstance(document.get("org"), str):
        return f"members:{document['org']}"
    if kind in {"directory/1", "designations/1"}:
        return str(kind).partition("/")[0]
    raise Problem("bad-notice", N_("This is no notice that Ansim knows."))


def accept(
    notice: Any, current_seq: int, trust: Trust, directory: "Directory | None", now: datetime
) -> tuple[str, dict]:
    """(name, document) of a notice that may replace the current one; raises Problem where it may not."""
    document: dict = (notice.get("document") if isinstance(notice, dict) else None) or {}
    name = name_of(document)
    if name == "directory":
        document = signed.open_document(notice, trust.roots, trust.threshold)
        if bool(document.get("demo")) != trust.demo:
            raise Problem("demo-root", N_("A demo directory and a real site do not go together."))
    elif name == "designations":
        document = signed.open_document(notice, [trust.ministry] if trust.ministry else [])
    else:
        if directory is None:
            raise Problem("no-directory", N_("The site directory has not arrived yet."))
        document = signed.open_document(notice, directory.keys(document["org"], now))
    _check(name, document, now)
    if not newer(document["seq"], current_seq):
        raise Problem(
            "old-notice",
            N_("Notice {name} number {seq} is not newer than {current}."),
            name=name,
            seq=document["seq"],
            current=current_seq,
        )
    return name, document


def newer(seq: int, current: int) -> bool:
    """Numbers only rise: an old notice, rightly signed, is not taken again."""
    return seq > current


def _check(name: str, document: dict, now: datetime) -> None:
    """A notice is believed for long and by everybody: a signed but misshapen one must not stop those who read it."""
    try:
        issued, expires = (datetime.fromisoformat(document[key]) for key in ("issued", "expires"))
        fit = isinstance(document["seq"], int) and 0 < int(document["seq"]) < 2**53 and issued < expires
        fit = fit and issued <= now + AHEAD
        if name == "directory":
            fit = fit and all(map(_is_site, document["sites"])) and isinstance(document.get("revoked", []), list)
        elif name == "designations":
            fit = fit and all(isinstance(each["id"], str) for each in document["designations"])
        else:
            fit = fit and all(
                isinstance(each["id"], str) and isinstance(each["key"]["kid"], str) for each in document["members"]
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Problem("bad-notice", N_("This is no notice that Ansim knows.")) from error
    if not fit:
        raise Problem("bad-notice", N_("This is no notice that Ansim knows."))


def _is_site(entry: dict) -> bool:
    for key in entry["keys"]:
        if datetime.fromisoformat(key["not_before"]) >= datetime.fromisoformat(key["not_after"]):
            return False
        if not isinstance(key["kid"], str) or key["use"] not in {"sig", "enc"} or not isinstance(key["jwk"], dict):
            return False
    return bool(SITE.fullmatch(entry["id"])) and isinstance(entry["kind"], str)


def fresh(document: dict | None, name: str, now: datetime, days: int | None = None) -> dict:
    """The notice's document if it may still be relied on."""
    if document is None:
        raise Problem("no-notice", N_("{name} has not arrived here."), name=name)
    issued, expires = datetime.fromisoformat(document["issued"]), datetime.fromisoformat(document["expires"])
    if days is not None:
        expires = min(expires, issued + timedelta(days=days))
    if not issued <= now <= expires:
        raise Problem(
            "stale-notice",
            N_("{name} of {issued} is out of date since {expires}."),
            name=name,
            issued=document["issued"],
            expires=expires.isoformat(),
            remedy=N_("A fresh one must arrive before anything under it runs."),
        )
    return document


class Directory:
    """The sites and their keys, from an accepted directory document."""

    def __init__(self, document: dict):
        self.document = documents.kind(document, "directory/1")
        self.sites = {site["id"]: site for site in document["sites"]}
        self.revoked = set(document.get("revoked", ()))

    def site(self, site_id: str) -> dict:
        if site_id not in self.sites:
            raise Problem("unknown-site", N_("{site} is not in the site directory."), site=site_id)
        return self.sites[site_id]

    def keys(self, site_id: str, now: datetime, use: str = "sig") -> list[dict]:
        """The site's public keys for this use that are valid now and not revoked."""
        return [
            {**key["jwk"], "kid": key["kid"]}
            for key in self.site(site_id)["keys"]
            if key["use"] == use
            and key["kid"] not in self.revoked
            and datetime.fromisoformat(key["not_before"]) <= now < datetime.fromisoformat(key["not_after"])
        ]

    def key(self, site_id: str, kid: str, now: datetime) -> dict:
        for key in self.keys(site_id, now):
            if key["kid"] == kid:
                return key
        raise Problem("unknown-key", N_("{site} has no valid key {kid}."), site=site_id, kid=str(kid)[:12])

    def receive_key(self, site_id: str, now: datetime) -> dict:
        keys = self.keys(site_id, now, "enc")
        if not keys:
            raise Problem("unknown-key", N_("{site} has no key to encrypt to."), site=site_id)
        return keys[0]

    def of_kind(self, kind: str) -> list[dict]:
        return [site for site in self.sites.values() if site["kind"] == kind]
