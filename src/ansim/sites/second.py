"""The second factor of an account: an authenticator app (TOTP, RFC 6238) and recovery codes for when it is lost.

The app's secret is made and kept by the key process: here only a sealed box is stored, and codes are checked there. A
code counts once. Recovery codes are kept as keyed hashes and go when they are used. Who needs one is the setting
`second_factor` of `[options]`: a list of roles or "all"; without it nobody in a demo, everybody elsewhere.
"""

import secrets
import time
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from ansim.errors import N_, Problem
from ansim.sites.config import Site, site
from ansim.sites.exchange import post
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

KIND = "second-factor"
CODES = 8
ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # without what is mistaken for something else
LENGTH = 16  # of 30 characters: 78 bits, so that a keyed hash is enough


def required(roles: Iterable[str], here: Site | None = None) -> bool:
    """Whether somebody with these roles needs a second factor at this site."""
    here = here or site()
    wanted = here.options.get("second_factor", [] if here.demo else "all")
    return wanted == "all" or bool(set(roles) & set(wanted))


def of(username: str) -> dict[str, Any] | None:
    """{box, last, codes, since} of who has one."""
    found = Record.objects.filter(kind=KIND, key=username).first()
    return found.data if found else None


def offered() -> bool:
    """Whether anybody here is asked for a code."""
    return bool(site().options.get("second_factor", not site().demo)) or Record.objects.filter(kind=KIND).exists()


def begin(username: str) -> str:
    """A new one in a sealed box; it counts for nothing before `enrol`."""
    return post.keeper().call("totp_begin", name=username)


def address(username: str, box: str) -> str:
    """What the app reads (otpauth://…), of one that was begun."""
    return post.keeper().call("totp_show", name=username, box=box, issuer=f"Ansim {site().id}")


def enrol(username: str, box: str, code: str) -> list[str]:
    """Keep the one that was begun, once the app shows the right code; gives the recovery codes, this once."""
    kept = post.keeper().call("totp_keep", name=username, box=box, code=_plain(code), now=time.time())
    if not kept:
        raise Problem(
            "wrong-code",
            N_("This is not the code that the app should show now."),
            where="code",
            remedy=N_("Wait for the next code. If it fails again, set the clock of your phone."),
        )
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(CODES)]
    data = {"box": kept["box"], "last": kept["step"], "codes": [_hash(username, each) for each in codes]}
    with transaction.atomic():
        ledger.record(KIND, username, {**data, "since": time.time()})
        ledger.note("people", "second-factor.enrolled", actor=username, of=username)
    return ["-".join(each[start : start + 4] for start in range(0, LENGTH, 4)) for each in codes]


def remove(username: str, by: str) -> None:
    """Take it away: by its owner where the roles need none, or by an administrator for who has lost it."""
    with transaction.atomic():
        gone, _kinds = Record.objects.filter(kind=KIND, key=username).delete()
        if not gone:
            raise Problem("no-second-factor", N_("There is no second factor."))
        ledger.note("people", "second-factor.removed", actor=by, of=username)


def right(username: str, code: str) -> bool:
    """Whether this code proves the second factor now; true for who has none. A code is used up by it."""
    code = _plain(code)
    with transaction.atomic():
        found = Record.objects.select_for_update().filter(kind=KIND, key=username).first()
        if found is None:
            return True
        if len(code) == LENGTH:
            return _recovered(found, username, code)
        data = found.data
        facts = {"name": username, "box": data["box"], "code": code, "now": time.time(), "after": data["last"]}
        step = post.keeper().call("totp_check", **facts)
        if step:
            ledger.record(KIND, username, {**data, "last": step})
        return bool(step)


def _recovered(found: Record, username: str, code: str) -> bool:
    told = _hash(username, code)
    left = [each for each in found.data["codes"] if not constant_time_compare(each, told)]
    if len(left) == len(found.data["codes"]):
        return False
    ledger.record(KIND, username, {**found.data, "codes": left})
    ledger.note("people", "recovery-code.used", actor=username, left=len(left))
    return True


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").upper()


def _hash(username: str, code: str) -> str:
    return salted_hmac(f"ansim.recovery:{username}", code, algorithm="sha256").hexdigest()
