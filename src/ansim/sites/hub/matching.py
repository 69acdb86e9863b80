"""Which hospitals to ask for a study: what the catalogue and a feasibility count say of each, and the smallest set.

Everything here is public or was told to this requester: counts as the hospitals showed them, descriptions as they
signed them, and how quickly they answered others (a median over all cases).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansim.governance import uses
from ansim.governance.matching import Candidate
from ansim.governance.purpose import ABSTAIN, Fit
from ansim.sites.hub import turnaround
from ansim.sites.store.models import Record


def descriptions() -> dict[str, dict]:
    """The newest dataset description of each holder."""
    found = Record.objects.filter(kind="dataset").order_by("updated").values_list("data", flat=True)
    return {data["description"]["holder"]["id"]: data["description"] for data in found}


def candidates(
    answers: Mapping[str, dict], query: dict, use: Mapping[str, Any], areas: Iterable[str], organisation: str
) -> list[tuple[Candidate, Fit | None]]:
    """Each hospital that was asked, with its fit (None: it publishes no conditions that could be matched).

    answers: of a feasibility record. use, areas: what the study does (governance.uses).
    """
    told, days, wanted = descriptions(), turnaround.first_answers(), set(concepts(query))
    areas, facts = list(areas), uses.facts(use, organisation=organisation)
    found = []
    for holder, answer in answers.items():
        one = told.get(holder, {})
        conditions = one.get("access", {}).get("conditions")
        fit = uses.fit(conditions, facts, areas) if conditions else None
        candidate = Candidate(
            holder,
            int(answer["shown"]) if str(answer.get("shown") or "").isdigit() else None,
            coverage=_coverage(one, wanted),
            quality=_quality(one),
            fit=fit.verdict if fit else ABSTAIN,
            days=days.get(holder),
        )
        found.append((candidate, fit))
    return found


def concepts(query: dict) -> Iterator[tuple[str, int]]:
    """(event, concept) that a query names in its variables and, where its cohort names them plainly, its criteria."""
    cohort = query["cohort"]
    named = [*query.get("variables", []), cohort.get("entry"), *_list(cohort, "require")]
    for part in named:
        if isinstance(part, dict) and isinstance(part.get("concepts"), list):
            yield from ((part["event"], concept) for concept in part["concepts"])


def _list(cohort: dict, name: str) -> list:
    return cohort[name] if isinstance(cohort.get(name), list) else []


def _coverage(one: dict, wanted: set[tuple[str, int]]) -> float:
    """Share of the wanted concepts that the description lists; all of them where none is named."""
    if not wanted:
        return 1.0
    listed = {(row["event"], row["concept_id"]) for row in one.get("variables", [])}
    return len(wanted & listed) / len(wanted)


def _quality(one: dict) -> float | None:
    """Share of the quality checks passed, of those that applied."""
    categories = one.get("quality", {}).get("categories", {}).values()
    passed, failed = (sum(each[word] for each in categories) for word in ("pass", "fail"))
    return passed / (passed + failed) if passed + failed else None
