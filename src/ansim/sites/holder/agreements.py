"""Agreements at a holder: looked at, signed, put in force for itself when every party's signature holds."""

from ansim.errors import N_, Problem
from ansim.governance.agreement import Agreement, agreement
from ansim.sites.store import ledger
from ansim.sites.store.models import Record


def state(key: str) -> Agreement:
    """The agreement as this holder's own ledger has it; raises Problem if no version was ever in force here."""
    found = ledger.load(agreement, key)
    if not found.current:
        raise Problem("no-agreement", N_("There is no agreement {key} in force here."), key=key)
    return found


def request_of(key: str) -> str:
    """The request (review and board case) that an agreement belongs to, as it was when this holder signed."""
    found = Record.objects.filter(kind="paper", key=key).first()
    if found is None:
        raise Problem("no-agreement", N_("There is no agreement {key} here."), key=key)
    return found.data["request"]


def in_force() -> list[Agreement]:
    """Agreements in force here by the record, newest first; whether one holds today is asked of the grant."""
    keys = Record.objects.filter(kind="agreement", status="in force").order_by("-updated").values_list("key", flat=True)
    return [state(key) for key in keys]
