"""Whether a request lies within an agreed query. In doubt it does not: a reason is given and a person can ask again.

Within means: every (person, entry date) of the request is one of the agreed query in any data, and every variable is
an agreed one in name and content. What can be told from the documents alone:

- Entry and the first day of the period stay as agreed: another entry or a later start moves entry dates.
- Entry `first`: the entry date hangs on nothing else, so more criteria, fewer ages and sexes only take rows away.
- Entry `any`: other criteria or ages move people to a later entry; only fewer sexes are narrower.
- A whole definition (query/2): only the very same one, over the very same period.
- An earlier end of the period hides later events. Where an agreed exclusion looks beyond the entry day (with `any`: or
  a requirement), somebody who was out could come in: then it is not narrower.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ansim.errors import N_, Problem
from ansim.research.cohort.definition.model import Definition
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import Age, Cohort, Criterion, Query, Variable

__all__ = ["explain", "outside"]


def outside(request: Query, agreed: Query) -> list[Problem]:
    """The reasons why a request is not within the agreed query; empty when it is. Titles do not matter."""
    if isinstance(request.cohort, Definition) or isinstance(agreed.cohort, Definition):
        return [*_definition(request, agreed), *_variables(request.variables, agreed.variables)]
    return [
        *_entry(request.cohort, agreed.cohort),
        *_people(request.cohort, agreed.cohort),
        *_criteria(request.cohort, agreed.cohort),
        *_period(request, agreed, agreed.cohort),
        *_variables(request.variables, agreed.variables),
    ]


def _definition(request: Query, agreed: Query) -> Iterable[Problem]:
    """Definitions are not compared: any other one, or another period, may bring in other people."""
    if request.cohort != agreed.cohort:
        yield _reason("definition-differs", "cohort", N_("The cohort definition is not the agreed one."))
    if request.period != agreed.period:
        yield _reason("period-differs", "period", N_("The period is not the agreed one."))


def _entry(request: Cohort, agreed: Cohort) -> Iterable[Problem]:
    if request.entry != agreed.entry:
        yield _reason("entry-differs", "cohort.entry", N_("The entry event is not the agreed one."))


def _people(request: Cohort, agreed: Cohort) -> Iterable[Problem]:
    if agreed.sex is not None and (request.sex is None or not set(request.sex) <= set(agreed.sex)):
        yield _reason("sex-wider", "cohort.sex", N_("More sexes are asked for than agreed."))
    if agreed.entry.which == "any":
        if request.age != agreed.age:
            yield _reason("age-moves", "cohort.age", N_("Other ages would move entry dates when any event counts."))
    elif not _Span.of(request.age) <= _Span.of(agreed.age):
        yield _reason("age-wider", "cohort.age", N_("More ages are asked for than agreed."))


def _criteria(request: Cohort, agreed: Cohort) -> Iterable[Problem]:
    for part in ("require", "exclude"):
        asked, bound = set(getattr(request, part)), set(getattr(agreed, part))
        if bound - asked:
            yield _reason("criterion-dropped", f"cohort.{part}", N_("An agreed criterion is left out or changed."))
        if agreed.entry.which == "any" and asked - bound:
            yield _reason(
                "criterion-moves",
                f"cohort.{part}",
                N_("A further criterion would move entry dates when any event counts."),
            )


def _period(request: Query, agreed: Query, bound: Cohort) -> Iterable[Problem]:
    if request.period.first < agreed.period.first or request.period.last > agreed.period.last:
        yield _reason("period-wider", "period", N_("The period reaches beyond the agreed one."))
        return
    if request.period.first > agreed.period.first:
        yield _reason("period-moves", "period.from", N_("A later start of the period would move entry dates."))
    if request.period.last < agreed.period.last:
        looking = list(bound.exclude)
        if bound.entry.which == "any":
            looking += bound.require
        if not all(_looks_back(criterion) for criterion in looking):
            yield _reason(
                "period-hides",
                "period.to",
                N_("An earlier end would hide events that an agreed criterion looks for after the entry."),
            )


def _variables(request: tuple[Variable, ...], agreed: tuple[Variable, ...]) -> Iterable[Problem]:
    by_name = {variable.name: variable for variable in agreed}
    for variable in request:
        bound = by_name.get(variable.name)
        where = f"variables.{variable.name}"
        if bound is None:
            yield _reason("variable-not-agreed", where, N_("The variable {name} is not agreed."), variable.name)
        elif bound != variable:
            yield _reason("variable-differs", where, N_("The variable {name} means something else."), variable.name)


@dataclass(frozen=True)
class _Span:
    low: float
    high: float

    @classmethod
    def of(cls, age: Age) -> "_Span":
        """An age without bounds also takes in unknown ages: it is wider than every bounded one."""
        low, high = age.min, age.max
        return cls(float("-inf") if low is None else low, float("inf") if high is None else high)

    def __le__(self, other: "_Span") -> bool:
        return other.low <= self.low and self.high <= other.high


def _looks_back(criterion: Criterion) -> bool:
    """Whether the criterion sees only events up to the entry day, which are inside any period with that day."""
    return criterion.window.to_days is not None and criterion.window.to_days <= 0


def _reason(code: str, where: str, text: str, name: str = "") -> Problem:
    remedy = N_("Keep to the agreement, or ask the parties for a new version of it.")
    return Problem(code, text, where=where, remedy=remedy, name=name)
