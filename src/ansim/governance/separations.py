"""Which roles one person may not hold in one case, as data, and a function that raises (DOMAIN: processor, user and
adequacy reviewer apart; author and checker apart; key holder and payload holder apart; proposer and decider apart;
an auditor reads only)."""

from collections.abc import Iterable, Mapping

from ansim.errors import N_, Problem

READ_ONLY = "auditor"
# (one role, the other, why)
APART: tuple[tuple[str, str, str], ...] = (
    ("operator", "user", "who pseudonymises does not use the data (P3)"),
    ("operator", "adequacy-reviewer", "who pseudonymises does not judge it (P3)"),
    ("user", "adequacy-reviewer", "who uses the data does not judge them (P3)"),
    ("author", "output-checker", "nobody checks the own output"),
    ("project-member", "output-checker", "a project does not check its own outputs"),
    ("project-member", "export-reviewer", "a project does not review its own export (L4)"),
    ("author", "senior-checker", "nobody settles a dispute about the own output"),
    ("project-member", "senior-checker", "a project does not settle a dispute about its own outputs"),
    ("output-checker", "senior-checker", "a dispute is settled by a third person"),
    ("author", "export-reviewer", "nobody reviews the export of the own output (L4)"),
    ("output-checker", "export-reviewer", "the export is reviewed by others than the checkers (L4)"),
    ("senior-checker", "export-reviewer", "the export is reviewed by others than the checkers (L4)"),
    ("key-custodian", "data-custodian", "linkage keys and payload stay apart (L6)"),
    ("key-agency", "linker", "linkage keys and payload stay apart (L3, L6)"),
    ("proposer", "decider", "nobody decides the own proposal"),
    ("irb-enterer", "irb-confirmer", "two persons vouch for an outside decision"),
)
ROLES = tuple(dict.fromkeys(role for one, other, _ in APART for role in (one, other)))


def clashes(role: str) -> dict[str, str]:
    """The roles that may not go together with this one, and why."""
    found = {other: why for one, other, why in APART if one == role}
    found |= {one: why for one, other, why in APART if other == role}
    if role == READ_ONLY:
        return {other: "an auditor reads only" for other in ROLES}
    return found | ({READ_ONLY: "an auditor reads only"} if role in ROLES else {})


def require_apart(person: str, role: str, holders: Mapping[str, Iterable[str]]) -> None:
    """Raise if the person, by taking the role, would hold two that must stay apart.

    holders: role -> persons that hold it in this case."""
    for other, why in clashes(role).items():
        if person in holders.get(other, ()):
            raise Problem(
                "roles-not-apart",
                N_("{person} is {other} in this case and cannot act as {role}: {why}."),
                remedy=N_("Ask somebody else."),
                person=person,
                role=role,
                other=other,
                why=why,
            )


# Roles that one account may not hold together, whatever the case: (roles, others, why). An auditor holds no other.
VOTERS = ("chair", "member", "outsider")
ACCOUNT_APART: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        ("admin",),
        (
            *VOTERS,
            "secretary",
            "officer",
            "signatory",
            "reviewer",
            "researcher",
            "legal",
            "checker",
            "senior",
            "exporter",
        ),
        "who gives roles decides, signs and checks nothing",
    ),
    (("researcher",), ("checker", "senior", "exporter", "room"), "nobody checks the own output"),
    (("checker", "senior"), ("exporter",), "the export is reviewed by others than the checkers (L4)"),
    (VOTERS, ("secretary",), "who keeps the votes does not vote"),
)


def account_clashes(roles: Iterable[str]) -> list[tuple[str, str, str]]:
    """(role, other, why) of those that one account may not hold together."""
    held = sorted(set(roles))
    if READ_ONLY in held and len(held) > 1:
        return [(READ_ONLY, next(role for role in held if role != READ_ONLY), "an auditor reads only")]
    return [
        (role, other, why)
        for some, others, why in ACCOUNT_APART
        for role in held
        for other in held
        if role in some and other in others
    ]


def require_account(roles: Iterable[str]) -> None:
    """Raise Problem if one account would hold roles that must stay apart."""
    if found := account_clashes(roles):
        role, other, why = found[0]
        raise Problem(
            "roles-not-apart",
            N_("One account cannot be {role} and {other}: {why}."),
            where="roles",
            remedy=N_("Give the other role to somebody else."),
            role=role,
            other=other,
            why=why,
        )
