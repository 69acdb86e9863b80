"""The expert desk at the portal: questions come from hospitals, advisers answer, what was settled comes back.

Advisers are accounts of the portal with the role adviser; what they are expert in stands in a record that the
coordinator keeps. A question's text can be read at the portal: the hospital's page says so before it is sent.
"""

import re
from typing import Any

from django.contrib.auth.models import User

from ansim.errors import N_, Problem
from ansim.governance import advice as core
from ansim.governance.advice import Advice, advice
from ansim.sites.daysoff import days_off
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

ID = re.compile(r"adv-[0-9a-f]{12}")
PROFILE = "adviser"


def get(key: str) -> Advice:
    found = ledger.load(advice, key)
    if found.status == "none":
        raise Problem("no-question", N_("There is no such question."))
    return found


@post.receives("advice.ask")
def _on_ask(message: post.Message) -> None:
    given = message.payload
    if trust.directory().site(message.sender)["kind"] != "holder" or not ID.fullmatch(str(given.get("id"))):
        raise Problem("bad-question", N_("This is no question that the expert desk can take."))
    texts = {name: str(given[name]) for name in ("case", "applicant", "rule", "expertise", "question")}
    about = {name: str(given["about"].get(name, ""))[:200] for name in ("object", "name")}
    command = core.Ask(by=message.sender, holder=message.sender, about=about, holidays=days_off(), **texts)
    ledger.execute(advice, given["id"], command, actor=message.sender)


@post.receives("advice.settled")
def _on_settled(message: post.Message) -> None:
    given = message.payload
    if get(given["id"]).holder != message.sender:
        raise Problem("not-yours", N_("Another hospital asked this."))
    command = core.Settle(by=message.sender, taken=given["taken"] is True, reason=str(given["reason"]))
    ledger.execute(advice, given["id"], command, actor=message.sender)


def act(key: str, command: core.Step, person: str) -> Advice:
    """One step of a question; the hospital hears the answer in the same transaction."""
    from django.db import transaction

    with transaction.atomic():
        state = ledger.execute(advice, key, command, actor=person)
        if state.status == "answered":
            told = {"id": key, "case": state.case, "answer": state.answer, "due": state.due}
            post.send("advice.given", told, to=state.holder, sealed=True)
    return state


def profile(username: str) -> dict[str, Any]:
    """An adviser as the conflict checks take one: {id, org, fields}."""
    found = Record.objects.filter(kind=PROFILE, key=username).first()
    person = User.objects.filter(username=username, groups__name="adviser", is_active=True).first()
    if person is None:
        raise Problem("no-adviser", N_("{person} is no adviser of this desk."), person=username)
    return {"id": username, "org": _organisation(person.last_name), "fields": found.data["fields"] if found else []}


def _organisation(name: str) -> str:
    """A site's id, whether an account names it by its id or in words; else the words."""
    for key, entry in trust.directory().sites.items():
        if name in (key, *entry["name"].values()):
            return key
    return name


def set_fields(username: str, fields: list[str], by: str) -> None:
    """What an adviser is expert in."""
    unknown = sorted(set(fields) - set(core.FIELDS))
    if unknown or not fields:
        raise Problem(
            "unknown-field", N_("Nobody advises on {field}."), where="fields", field=", ".join(unknown) or "-"
        )
    profile(username)
    ledger.record(PROFILE, username, {"fields": fields})
    ledger.note("advisers", "adviser.fields-set", actor=by, adviser=username, fields=fields)


def advisers(state: Advice) -> list[tuple[dict[str, Any], list[Problem]]]:
    """Everybody who advises, with what speaks against each for this question; those without first."""
    names = User.objects.filter(groups__name="adviser", is_active=True).order_by("username")
    found = [
        (person, core.fit_to_advise(person, state)) for person in map(profile, names.values_list("username", flat=True))
    ]
    return sorted(found, key=lambda pair: (bool(pair[1]), pair[0]["id"]))


def guidance() -> list[dict[str, Any]]:
    """Public guidance, newest first: [{title, text, rule, at}]."""
    rows = Record.objects.filter(kind="advice").order_by("-updated")
    return [{**row.data["guidance"], "at": row.updated} for row in rows if row.data.get("guidance")]
