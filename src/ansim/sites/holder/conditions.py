"""Conditions of use of this holder's data, in DUO's terms: set by the steward, signed into the catalogue's description,
and matched with every request that comes.

A change is published at once with the description as it is; nothing is measured anew for it.
"""

from typing import Any

from django.db import transaction

from ansim.data.catalogue.check import check_description
from ansim.errors import Problems
from ansim.governance import purpose, uses
from ansim.governance.purpose import Fit
from ansim.sites import clock
from ansim.sites.exchange import post, signed
from ansim.sites.holder import datasets
from ansim.sites.store import ledger

# Until the steward says otherwise: research on health, after an ethics review. What agreements limit anyway (users,
# project, time) is agreed each time and needs no condition on the data.
DEFAULT: dict[str, Any] = {"permission": "HMB", "modifiers": [{"term": "IRB"}]}


def current() -> dict:
    """The conditions in force here."""
    return datasets.conditions() or DEFAULT


def access(conditions: dict) -> dict:
    """The `access` of a description under these conditions."""
    return {"duo": purpose.codes(conditions), "areas": conditions.get("areas", []), "conditions": conditions}


def put(conditions: dict, person: str) -> bool:
    """Set the conditions; gives whether the catalogue was told (it is, once a description is published).

    Raises Problems naming every field that is wrong."""
    if problems := purpose.check(conditions):
        raise Problems(problems)
    with transaction.atomic():
        ledger.record("conditions", datasets.dataset_id(), conditions, status=conditions["permission"])
        stream = f"dataset:{datasets.dataset_id()}"
        ledger.note(stream, "dataset.conditions-set", actor=person, conditions=ledger.keep(conditions, "conditions"))
        held = datasets.published()
        if held is None:
            return False
        told = {name: value for name, value in held["description"].get("access", {}).items() if name in KEPT}
        document = {**held["description"], "access": {**told, **access(conditions)}}
        document["issued"] = clock.now().isoformat()
        check_description(document, document["disclosure"]["threshold"])
        description = signed.sign_document(document, post.own_kid(), post.sign)
        name = ledger.keep(description, "dataset")
        facts = {**held, "description": document, "signed": name}
        ledger.record("dataset", datasets.dataset_id(), facts, status=document["version"][:12])
        ledger.note(stream, "dataset.published", actor=person, version=document["version"], description=name)
        datasets.announce(description)
    return True


KEPT = ("contact", "note")


def verdict(case: dict, document: dict | None = None) -> Fit:
    """How a request, or the application that followed it, fits the conditions here."""
    use = (document or {}).get("use") or case.get("use") or {}
    people = [each["id"] for each in document["people"]] if document else None
    known = {
        "organisation": case["org"],
        "project": case["id"],
        "users": people,
        "to": document["not_after"] if document else None,
    }
    return uses.fit(current(), uses.facts(use, **known), (document or case)["areas"])
