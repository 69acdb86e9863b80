"""The review board's console: docket, conflicts of interest, blinded votes, the decision and its letter, the IRB.

The board's members are this site's accounts with the roles chair, member and outsider. The letter is rendered from the
case, signed with the site's key, kept under its SHA-256 and sent sealed to the applicant; the hub hears the outcome.
"""

import base64
from collections import Counter
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance import board as core
from ansim.governance import review as review_core
from ansim.governance.board import BoardCase, board
from ansim.governance.core import Command, civil_day
from ansim.governance.papers.letters import board_letter
from ansim.governance.papers.sign import Party, sign_pdf
from ansim.sites import clock, people
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.holder import reviews
from ansim.sites.store import ledger

VOTERS = ("chair", "member", "outsider")
APPEAL_DAYS = 30
NO_DIGEST = "0" * 64


def state(key: str) -> BoardCase:
    """The board's case of a request; an empty one before it is on the docket."""
    return ledger.load(board, key)


def act(key: str, command: Command, person: str) -> BoardCase:
    return ledger.execute(board, key, command, actor=person)


def members(applicant: str) -> list[dict]:
    """The board as it sits for this applicant: [{id, name, org, kind}]; who is of its house is marked."""
    names = {applicant, *trust.directory().site(applicant)["name"].values()}
    found = []
    for user in User.objects.filter(groups__name__in=VOTERS, is_active=True).distinct().order_by("username"):
        org = user.last_name or site().id
        kind = "outsider" if "outsider" in people.roles(user) else "internal"
        entry = {"id": user.username, "name": user.first_name or user.username, "kind": kind}
        found.append({**entry, "org": applicant if org in names else org})
    return found


def chairs() -> list[str]:
    return list(
        User.objects.filter(groups__name="chair", is_active=True)
        .order_by("username")
        .values_list("username", flat=True)
    )


def docket(key: str, person: str, chair: str = "") -> BoardCase:
    """Put the application before the whole board. Raises Problem when the board is not rightly composed."""
    review = reviews.get(key)
    if review.status != "board":
        raise Problem(
            "not-at-the-board",
            N_("The application is not at the board but '{status}'."),
            status=review.status,
        )
    leads = chairs()
    if not leads:
        raise Problem("no-chair", N_("No account has the role of the chair."))
    command = core.Docket(
        by=person,
        case=key,
        application={"id": reviews.application(key)["id"], "digest": review.application},
        applicant_org=review.applicant,
        chair=chair or leads[0],
        members=members(review.applicant),
    )
    return act(key, command, person)


def decide(key: str, person: str, outcome: str, conditions: list[str], expires: str, reason: str) -> BoardCase:
    """The chair's decision within what the votes carry; letter, review and messages in one transaction."""
    facts: dict[str, Any] = {"by": person, "outcome": outcome, "conditions": conditions, "reason": reason}
    facts["expires"] = expires if outcome in (core.APPROVED, core.CONDITIONS) else ""
    now = clock.now()
    board.decide(state(key), core.Decide(**facts, letter=NO_DIGEST), now)  # refused before any letter is drawn
    pdf = _letter(state(key), facts)
    with transaction.atomic():
        name = ledger.keep_bytes(pdf, "letter", "application/pdf")
        case = act(key, core.Decide(**facts, letter=name), person)
        recorded = review_core.RecordOutcome(by=person, outcome=case.outcome, conditions=case.conditions)
        review = reviews.moved(key, recorded, person)
        day = civil_day(clock.now()).isoformat()
        post.send("board.outcome", {"id": key, "outcome": case.outcome, "decided": day}, to=site().hub)
        told = {"id": key, "outcome": case.outcome, "conditions": case.conditions, "expires": case.expires}
        told |= {"letter": name, "letter_pdf": base64.b64encode(pdf).decode()}
        post.send("board.outcome", told, to=review.applicant, sealed=True)
    return case


def _letter(case: BoardCase, decided: dict) -> bytes:
    """The signed decision letter (PDF/A)."""
    now, directory = clock.now(), trust.directory()
    document = {
        "ansim": "board-letter/1",
        "id": f"{case.case}-{case.round}",
        "case": case.case,
        "title": reviews.get(case.case).title,
        "issuer": {"id": site().id, "name": _both(site().name)},
        "applicant": _both(directory.site(case.applicant_org)["name"]),
        "meeting": case.minutes.get("held") or civil_day(now).isoformat(),
        "outcome": decided["outcome"],
        "votes": _votes(case),
        "quorum": core.quorum(case),
        "conflicts": sum(each["conflict"] for each in case.declared.values()),
        "conditions": [{"ko": each, "en": ""} for each in decided["conditions"]],  # in the board's own words
        "reason": decided["reason"] or "–",
        "valid_until": decided["expires"],
        "appeal_days": APPEAL_DAYS,
    }
    certificate = base64.b64decode(directory.site(site().id)["certificate"])
    words = "심의 결정 통지 / Board decision"
    return sign_pdf(board_letter(document, at=now), Party(site().id, certificate, post.sign), reason=words, at=now)


def _votes(case: BoardCase) -> dict[str, int]:
    """Votes as the letter counts them; of a meeting, those who confirmed what it decided."""
    if case.minutes:
        for_it = len(core.confirmed(case))
        return {"yes": for_it, "no": 0, "abstain": len(case.minutes["present"]) - for_it}
    votes = Counter(vote["choice"] for vote in case.votes.values())
    return {
        "yes": votes["approve"] + votes["conditions"],
        "no": votes["reject"] + votes["defer"],
        "abstain": len(core.voters(case)) - len(case.votes),
    }


def _both(name: dict) -> str:
    return f"{name['ko']} ({name['en']})"


def enter_irb(key: str, person: str, number: str, letter: str, decision: str, expires: str) -> BoardCase:
    return act(key, core.EnterIrb(by=person, number=number, letter=letter, decision=decision, expires=expires), person)


def confirm_irb(key: str, person: str, letter: str) -> BoardCase:
    return act(key, core.ConfirmIrb(by=person, letter=letter), person)
