"""How the events of a condition stand to the index event: the key it depends on, and what joins the two."""

from sqlglot import exp

from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.events import column, plus


def one_if(condition: exp.Expr, number: int) -> exp.Expr:
    return exp.Case().when(condition, exp.Literal.number(number)).else_(exp.Literal.number(0))


def combined(group: m.Group, conditions: list[exp.Expr]) -> exp.Expr:
    if group.kind == "all":
        return exp.and_(*conditions)
    if group.kind == "any":
        return exp.or_(*conditions)
    ones = [one_if(each, 1) for each in conditions]
    number: exp.Expr = ones[0]
    for each in ones[1:]:
        number = exp.Add(this=number, expression=each)
    operator = exp.GTE if group.kind == "at_least" else exp.LTE
    return operator(this=exp.paren(number), expression=exp.Literal.number(group.n or 0))


def keys_of(given: m.Correlated) -> list[str]:
    """The columns of the index that the condition depends on."""
    windows = [each for each in (given.window, given.end_window) if each is not None]
    keys = ["person_id"]
    used = {each.index for each in windows if any(end.days is not None for end in (each.start, each.end))}
    keys += [f"{side}_date" for side in ("start", "end") if side in used]
    if not given.beyond_observation:
        keys += ["op_start", "op_end"]
    return [*keys, "visit"] if given.same_visit else keys


def existence(given: m.Correlated) -> int | None:
    """1 when one event is enough, 0 when there may be none, None when they are to be counted."""
    if given.count.n == 0 and given.count.op != "at_least":
        return 0
    return 1 if (given.count.op, given.count.n) == ("at_least", 1) else None


def around(given: m.Correlated, index: str = "i", event: str = "e") -> list[exp.Expr]:
    """How an event must stand to the index."""
    found: list[exp.Expr] = [column("person_id", event).eq(column("person_id", index))]
    if not given.beyond_observation:
        found += [
            column("start_date", event) >= column("op_start", index),
            column("start_date", event) <= column("op_end", index),
        ]
    for window in (given.window, given.end_window):
        if window is not None:
            day = column(f"{window.event}_date", event)
            for endpoint, operator in ((window.start, exp.GTE), (window.end, exp.LTE)):
                point = _point(endpoint, window, given.beyond_observation, index)
                if point is not None:
                    found.append(operator(this=day.copy(), expression=point))
    if given.same_visit:
        found.append(column("visit", event).eq(column("visit", index)))
    return found


def _point(endpoint: m.Endpoint, window: m.Window, beyond: bool, index: str) -> exp.Expr | None:
    if endpoint.days is not None:
        return plus(column(f"{window.index}_date", index), endpoint.days)
    return None if beyond else column(f"op_{endpoint.side}", index)


def visits_matter(definition: m.Definition) -> bool:
    """Whether a condition of the definition looks at the entry event's visit."""
    return any(of_visit(group) for _, group in definition.groups())


def of_visit(group: m.Group | None) -> bool:
    """Whether a condition of the group looks at the index's visit."""
    if group is None:
        return False
    return any(each.same_visit for each in group.criteria) or any(of_visit(each) for each in group.groups)
