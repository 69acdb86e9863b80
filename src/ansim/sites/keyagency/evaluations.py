"""The key agency's half of making match keys: blinded elements in, the same elements under the project's key out.

It learns nothing from an element. What a holder asks is counted: a holder that tries out guesses instead of its people
runs into the quota, and then has to send as many people as it asked for. The key lies in the key process, is the
project's own, and is destroyed with it.
"""

import base64
import binascii
import re
from pathlib import Path
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.privacy.linkage.keys import KINDS
from ansim.privacy.linkage.oprf import ELEMENT
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.files import erase, write
from ansim.sites.keyagency import agreements
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

KIND = "evaluation"
FIELDS = {"agreement", "holder", "round", "batch", "batches", "people", "elements"}
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
MOST_ROUNDS = 3  # a holder whose register changed on the way asks for all its people again
MOST_PEOPLE = 60_000_000
MOST_ELEMENTS = 200_000  # of one message


def folder(agreement: str) -> Path:
    return site().path("elements-in", agreement)


def of(agreement: str, holder: str) -> dict[str, Any]:
    """What this holder has asked: {people, asked, rounds, taken: [[round, batch]]}."""
    found = Record.objects.filter(kind=KIND, key=f"{agreement}.{holder}").first()
    return found.data if found else {"people": 0, "asked": 0, "rounds": 0, "taken": []}


def quota(people: int) -> int:
    """How many elements a holder may have evaluated for so many people, in one linkage."""
    return MOST_ROUNDS * len(KINDS) * people


@post.receives("link.blind")
def _on_elements(message: post.Message) -> None:
    given, sender = message.payload, message.sender
    body = _checked(given)
    key, number, batch = given["agreement"], given["round"], given["batch"]
    if given["holder"] != sender:
        raise Problem("not-a-holder", N_("{sender} is not among the holders of this linkage."), sender=sender)
    name = f"{key}.{sender}"
    Record.objects.select_for_update().filter(kind=KIND, key=name).first()
    data = of(key, sender)
    if [number, batch] in data["taken"]:
        raise Problem("received-already", N_("The keys of {sender} are here already."), sender=sender)
    data["people"] = data["people"] or given["people"]
    data["asked"] += len(body) // ELEMENT
    data["rounds"] = max(data["rounds"], number)
    data["taken"].append([number, batch])
    if given["people"] > data["people"] or data["rounds"] > MOST_ROUNDS or data["asked"] > quota(data["people"]):
        raise Problem(
            "quota",
            N_("{sender} asked for more keys than its {people} people can have."),
            sender=sender,
            people=data["people"],
        )
    write(folder(key) / f"{sender}.{number}.{batch}", body)
    ledger.record(KIND, name, data, status="asked")
    jobs.queue(
        "evaluate",
        f"{name}.{number}.{batch}",
        {"agreement": key, "holder": sender, "round": number, "batch": batch, "of": len(body) // ELEMENT},
    )


def _checked(given: Any) -> bytes:
    """The elements; raises unless the message holds them and nothing that is not asked for."""
    try:
        wholes = [given[name] for name in ("round", "batch", "batches", "people")]
        sound = (
            set(given) == FIELDS
            and all(isinstance(given[name], str) and ID.fullmatch(given[name]) for name in ("agreement", "holder"))
            and all(type(each) is int for each in wholes)
            and given["round"] >= 1
            and 0 <= given["batch"] < given["batches"]
            and 1 <= given["people"] <= MOST_PEOPLE
        )
        body = base64.b64decode(given["elements"], validate=True)
    except (TypeError, KeyError, binascii.Error, ValueError):
        sound, body = False, b""
    if not sound or not body or len(body) % ELEMENT or len(body) > ELEMENT * MOST_ELEMENTS:
        raise Problem("more-than-keys", N_("The message holds something else than blinded keys."))
    return body


def _evaluate(payload: dict) -> dict[str, Any]:
    """The elements under the project's key, once the signed agreement is here and names this holder."""
    key = payload["agreement"]
    if not agreements.known(key):
        raise jobs.Later(1.0, "the signed agreement has not arrived yet", counts=False)
    file = folder(key) / f"{payload['holder']}.{payload['round']}.{payload['batch']}"
    try:
        if payload["holder"] not in agreements.linkage_of(key)["holders"]:
            raise Problem("not-linked", N_("This holder is not linked under the agreement {key}."), key=key)
        elements = base64.b64encode(file.read_bytes()).decode()
        return {"elements": post.keeper().call("evaluate", project=key, elements=elements)}
    except Problem as problem:
        return {"problem": str(problem)}


def _evaluated(payload: dict, made: dict) -> None:
    """The answer leaves and the elements are deleted, also if they may not be evaluated."""
    key, holder = payload["agreement"], payload["holder"]
    told = {"round": payload["round"], "batch": payload["batch"]}
    if problem := made.get("problem"):
        ledger.note(f"linkage:{key}", "elements.refused", actor=holder, reason=problem, **told)
    else:
        post.send("link.evaluated", {"agreement": key, **told, "elements": made["elements"]}, to=holder, sealed=True)
        ledger.note(f"linkage:{key}", "elements.evaluated", actor=holder, count=payload["of"], **told)
    transaction.on_commit(lambda: erase(folder(key), f"{holder}.{payload['round']}.{payload['batch']}"))


jobs.job("evaluate", finish=_evaluated)(_evaluate)
