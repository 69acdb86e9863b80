"""Signing as one of the organisation's members: the key never leaves the desk's key process."""

import secrets
from typing import Any

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, signed, trust


def member_of(username: str) -> str:
    """A desk account's member id in the organisation's list."""
    return username if "@" in username else f"{username}@{site().id}"


def members() -> list[dict]:
    """The organisation's attested members: id, name, role, key."""
    held = trust.document(f"members:{site().id}")
    return held["members"] if held else []


def sign(document: dict, member: str) -> dict:
    """The document signed by this member's key."""
    key = post.keeper().public().get(member)
    if key is None:
        raise Problem("no-key", N_("{member} has no key at this desk."), member=member)
    return signed.sign_document(document, key["kid"], lambda data: post.keeper().sign(data, key=member))


def job(*, agreement: dict, member: str, area: str, mode: str, **facts: Any) -> dict:
    """A signed job/1 under an agreement (its terms and their digest as the desk holds them)."""
    terms = agreement["terms"]
    if terms.get("investigations"):  # the job names its kind; the broadest that is agreed unless it says another
        facts = {"investigation": terms["investigations"][0], **facts}
    document = {
        "ansim": "job/1",
        "agreement": terms["id"],
        "version": terms["version"],
        "terms": agreement["digest"],
        "area": area,
        "mode": mode,
        "member": member,
        "at": clock.iso(clock.now()),
        "nonce": secrets.token_hex(16),
        "centre": terms["place"]["centre"],
        "query": terms["query"],
        **facts,
    }
    return sign(document, member)
