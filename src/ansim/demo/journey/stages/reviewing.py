"""Stage 6: each holder's board declares conflicts, votes blinded, decides; the IRB's decision is entered twice-eyed."""

import hashlib
from datetime import timedelta
from functools import partial

from ansim.demo.journey import study
from ansim.demo.journey.promises import code_of, until
from ansim.demo.journey.world import Journey, Stage

BOARD = ("chair", "member1", "member2", "member3", "outsider")
CONFLICTED = ("hospital-a", "member3")  # declares a conflict and must not vote
WITH_CONDITIONS = "hospital-b"
CONDITION = "Results are shown to the hospital before publication."
IRB_LETTER = hashlib.sha256(b"Letter of the e-IRB about the chronic sinusitis study").hexdigest()


def review(journey: Journey) -> str:
    """Screening, docket, declarations, votes, decision and letter, and the IRB, at each holder's own console."""
    outcomes = {}
    for holder in study.HOLDERS:
        journey.tell(f"{holder}: screening and board")
        _screening(journey, holder)
        outcomes[holder] = _board(journey, holder)
    case = until(lambda: _told(journey), 180, "every board's outcome at the desk")
    for holder in study.HOLDERS:
        letter = journey.researcher.file(f"/requests/{journey.facts['request']}/letters/{holder}/")
        named = case["holders"][holder]["letter"]
        whole = letter.startswith(b"%PDF") and hashlib.sha256(letter).hexdigest() == named
        journey.promise(f"{holder}: its letter reached the applicant unchanged", whole)
    key = journey.facts["request"]
    hub = journey.person("coordinator", study.HUB)
    shown = until(lambda: _outcomes_at(hub.get(f"/requests/{key}/")), 120, "the outcomes at the hub")
    journey.promise("the hub shows outcomes only", set(shown) == set(study.HOLDERS), shown)
    return "four boards decided: " + ", ".join(f"{holder} {outcome}" for holder, outcome in outcomes.items())


def _outcomes_at(page: dict) -> dict[str, str]:
    found = {holder: each.get("outcome") for holder, each in page["request"]["holders"].items()}
    return found if all(found.values()) else {}


def _told(journey: Journey) -> dict:
    case = journey.researcher.get(f"/requests/{journey.facts['request']}/")["request"]
    return case if all(each.get("outcome") for each in case["holders"].values()) else {}


def _screening(journey: Journey, holder: str) -> None:
    key, officer = journey.facts["request"], journey.at(holder, "officer")
    officer.do(f"/reviews/{key}/screen/")
    found = officer.get(f"/reviews/{key}/")["screening"]
    cited = [each["rule"] for each in found["tier"]["reasons"]] + [each["rule"] for each in found["route"]["reviews"]]
    whole = cited and all(rule["source"] and rule["article"] and rule["edition"] for rule in cited)
    journey.promise(f"{holder}: route and tier are shown with the rules behind them", whole, found["tier"]["level"])
    journey.facts.setdefault("tiers", {})[holder] = found["tier"]
    officer.do(f"/reviews/{key}/to-board/")


def _board(journey: Journey, holder: str) -> str:
    at = f"/board/{journey.facts['request']}"
    secretary, chair = journey.at(holder, "secretary"), journey.at(holder, "chair")
    secretary.do(f"{at}/docket/")
    for role in BOARD:
        conflicted = (holder, role) == CONFLICTED
        about = "a close relative works at the company" if conflicted else ""
        journey.at(holder, role).do(f"{at}/conflict/", conflict=conflicted, about=about)
    secretary.do(f"{at}/open/")
    conditional = holder == WITH_CONDITIONS
    choice = "conditions" if conditional else "approve"
    conditions = [CONDITION] if conditional else []
    for number, role in enumerate(BOARD):
        person = journey.at(holder, role)
        if (holder, role) == CONFLICTED:
            code = code_of(partial(person.do, f"{at}/vote/", choice="approve"))
            journey.promise(f"{holder}: a member with a conflict cannot vote", code == "conflict-of-interest", code)
            continue
        seen = person.get(f"{at}/")["case"]["votes"]
        others = {voter: vote for voter, vote in seen.items() if voter != person.name}
        if number:
            journey.promise(f"{holder}: {person.name} sees no other vote before the decision", not others, others)
        person.do(f"{at}/vote/", choice=choice, conditions=conditions, reason="")
    code = code_of(lambda: chair.do(f"{at}/vote/", choice="reject"))
    journey.promise(f"{holder}: a vote stays, nobody votes twice", code, code)
    _irb(journey, holder)
    return _decide(journey, holder, conditions)


def _irb(journey: Journey, holder: str) -> None:
    """Entered by the secretary, confirmed by the officer who has the letter at hand; nobody does both."""
    at = f"/board/{journey.facts['request']}"
    secretary, officer = journey.at(holder, "secretary"), journey.at(holder, "officer")
    expires = (journey.today() + timedelta(days=365)).isoformat()
    secretary.do(
        f"{at}/irb/",
        number=f"IRB-2026-{holder[-1].upper()}-017",
        letter=IRB_LETTER,
        decision="approved",
        expires=expires,
    )
    same = code_of(lambda: secretary.do(f"{at}/irb/confirm/", letter=IRB_LETTER))
    journey.promise(f"{holder}: who entered the IRB decision cannot confirm it", same, same)
    other = code_of(lambda: officer.do(f"{at}/irb/confirm/", letter="0" * 64))
    journey.promise(f"{holder}: another letter is not confirmed", other == "other-letter", other)
    officer.do(f"{at}/irb/confirm/", letter=IRB_LETTER)
    held = secretary.get(f"{at}/")["case"]["irb"]
    two = held.get("entered_by") != held.get("confirmed_by") and held.get("letter") == IRB_LETTER
    journey.promise(f"{holder}: the IRB decision stands with number, letter and expiry, by two people", two, held)


def _decide(journey: Journey, holder: str, conditions: list[str]) -> str:
    at, chair = f"/board/{journey.facts['request']}", journey.at(holder, "chair")
    expires = (journey.today() + timedelta(days=365)).isoformat()
    if conditions:
        code = code_of(lambda: chair.do(f"{at}/decide/", outcome="approved", expires=expires, reason="as voted"))
        journey.promise(f"{holder}: the chair cannot decide more laxly than the votes", code, code)
    outcome = "approved with conditions" if conditions else "approved"
    chair.do(
        f"{at}/decide/", outcome=outcome, conditions=conditions, expires=expires, reason="The board finds it sound."
    )
    case = chair.get(f"{at}/")["case"]
    journey.promise(f"{holder}: decided, with a letter", case["outcome"] == outcome and case["letter"], case["outcome"])
    return outcome


REVIEW = Stage(6, "심의", "Review", review)
