"""Roles that one account may not hold together: the whole matrix, against a table that is written out by hand."""

from itertools import combinations

import pytest

from ansim.errors import Problem
from ansim.governance.separations import account_clashes, require_account

TEXT = "researcher legal steward operator reviewer chair member outsider secretary officer signatory room"
ROLES = (
    *TEXT.split(),
    "checker",
    "senior",
    "exporter",
    "auditor",
    "coordinator",
    "ministry",
    "representative",
    "adviser",
    "admin",
)
REFUSED = {
    "admin": "researcher legal reviewer chair member outsider secretary officer signatory checker senior exporter",
    "researcher": "room checker senior exporter auditor admin",
    "checker": "researcher exporter auditor admin",
    "senior": "researcher exporter auditor admin",
    "secretary": "chair member outsider auditor admin",
    "auditor": " ".join(role for role in ROLES if role != "auditor"),
}


@pytest.mark.parametrize(("one", "other"), list(combinations(ROLES, 2)))
def test_every_pair(one: str, other: str) -> None:
    refused = other in REFUSED.get(one, "").split() or one in REFUSED.get(other, "").split()
    assert bool(account_clashes([one, other])) == bool(account_clashes([other, one])) == refused


def test_one_role_alone_is_never_refused() -> None:
    for role in ROLES:
        require_account([role, role])


def test_a_third_role_hides_nothing_and_the_refusal_says_why() -> None:
    with pytest.raises(Problem) as found:
        require_account(["steward", "checker", "operator", "exporter"])
    assert found.value.where == "roles"
    assert "reviewed by others" in str(found.value)
