"""Who must sit on a review board, by the edition of the guideline in force (G6)."""

from typing import Any

from ansim.errors import N_, Problem
from ansim.governance.checks import is_text

KINDS = ("internal", "outsider")


def composition(members: list[dict], chair: str, edition: dict) -> list[Problem]:
    """What is wrong with a board under an edition of the rules (G6); recommendations do not count as wrong."""
    rule = edition["G6"]
    wanted, count = rule["parameters"], len(members)
    outside = sum(entry.get("kind") == "outsider" for entry in members)
    facts: dict[str, Any] = {"edition": rule["edition"], "count": count, "outside": outside, **wanted}
    found = []

    def check(holds: bool, code: str, text: str) -> None:
        if not holds:
            found.append(Problem(code, text, where="members", remedy=N_("Edition {edition} asks for it."), **facts))

    for entry in members:
        if not all(is_text(entry.get(name)) for name in ("id", "org")) or entry.get("kind") not in KINDS:
            return [
                Problem("member-fields", N_("Each member needs an id, an organisation and a kind."), where="members")
            ]
    check(len({entry["id"] for entry in members}) == count, "member-twice", N_("A member is named twice."))
    check(chair in {entry["id"] for entry in members}, "no-chair", N_("The chair is not among the members."))
    check(count >= wanted["min_members"], "board-too-small", N_("{count} members; at least {min_members} are needed."))
    check(
        count <= wanted.get("max_members", count),
        "board-too-large",
        N_("{count} members; at most {max_members} may be."),
    )
    check(
        outside >= wanted["min_outsiders"],
        "too-few-outsiders",
        N_("{outside} members from outside; at least {min_outsiders} are needed."),
    )
    check(
        not wanted.get("outside_majority") or outside * 2 > count,
        "no-outside-majority",
        N_("{outside} of {count} members are from outside; more than half must be."),
    )
    return found


def advice(members: list[dict], edition: dict) -> list[Problem]:
    """What an edition recommends and this board lacks; it may decide all the same."""
    rule = edition["G6"]
    wanted = rule["parameters"].get("recommended_outsiders", 0)
    outside = sum(entry.get("kind") == "outsider" for entry in members)
    if outside >= wanted:
        return []
    return [
        Problem(
            "outsider-recommended",
            N_("{outside} members from outside; edition {edition} recommends at least {wanted}."),
            where="members",
            outside=outside,
            wanted=wanted,
            edition=rule["edition"],
        )
    ]
