"""Variables to SQLGlot trees: a column of the frame each, joined to the cohort `c`. What they mean: query.Variable."""

from typing import TYPE_CHECKING

from sqlglot import exp

from ansim.research.cohort.pieces import after_entry, earliest, inside, select_
from ansim.research.cohort.query import FOLLOWED, Variable, Window
from ansim.research.cohort.tables import Tables

if TYPE_CHECKING:
    from ansim.research.cohort.compile import Statement

PERIODS = ("person_id", "observation_period_start_date", "observation_period_end_date")
SINCE_ENTRY = Window(0)


def column(plan: "Statement", select: exp.Select, variable: Variable, name: str) -> exp.Select:
    """The select with the variable's column added and, for events, its part joined."""
    if variable.kind in ("sex", "age", "age_band"):
        return _add(select, variable, _of_person(variable))
    if variable.kind in FOLLOWED:
        name = _followed_part(plan, variable)
        form = f"{name}.{variable.kind}"
    else:
        plan.parts[name] = _measured(plan, variable)
        form = {
            "flag": f"NOT {name}.person_id IS NULL",
            "count": f"COALESCE({name}.value, CAST(0 AS BIGINT))",
            "value": f"{name}.value",
            "days": f"CAST({name}.value AS BIGINT)",
        }[variable.kind]
    joined = {join.alias_or_name for join in select.args.get("joins") or ()}
    select = _add(select, variable, form)
    return select if name in joined else select.join(name, on=f"{name}.person_id = c.person_id", join_type="left")


def _add(select: exp.Select, variable: Variable, text: str) -> exp.Select:
    alias = exp.to_identifier(variable.name, quoted=True)
    return select.select(exp.alias_(exp.maybe_parse(text, dialect="duckdb"), alias))


def _of_person(variable: Variable) -> str:
    if variable.kind == "sex":
        return "c.sex"
    if variable.kind == "age":
        return "CAST(c.age AS BIGINT)"
    low = f"(c.age - c.age % {variable.width})"
    return f"CAST({low} AS VARCHAR) || '-' || CAST({low} + {variable.width} - 1 AS VARCHAR)"


def _measured(plan: "Statement", variable: Variable) -> exp.Select:
    """person_id and value of the people who have such an event in the window, one row a person."""
    assert variable.events is not None
    assert variable.window is not None
    source = plan.events(variable.events)
    joined = select_("c.person_id").from_("cohort AS c")
    joined = joined.join(f"{source} AS e", on=inside(variable.window))
    if variable.kind == "days":
        return joined.select(exp.alias_(exp.Min(this=after_entry()), "value")).group_by("c.person_id")
    if variable.kind != "value":
        return joined.select("COUNT(*) AS value").group_by("c.person_id")
    joined = joined.where("NOT e.value IS NULL")
    if variable.pick in ("first", "last"):
        order = "start_date, value" if variable.pick == "first" else "start_date DESC, value DESC"
        return earliest(joined.select("e.start_date", "e.value"), ("person_id", "value"), order)
    function = {"min": "MIN", "max": "MAX", "mean": "AVG", "sum": "SUM"}[str(variable.pick)]
    return joined.select(f"{function}(e.value) AS value").group_by("c.person_id")


# --- follow-up --------------------------------------------------------------------------------------------------------


def has_periods(tables: Tables) -> bool:
    return set(PERIODS) <= set(tables.get("observation_period", ()))


def observed(plan: "Statement", select: exp.Select) -> exp.Select:
    """The select over `c` with observed_until added."""
    if plan.known:
        return select.select("c.observed_until")
    if "observed" not in plan.parts:
        plan.parts["observed"] = _observed(plan)
    on = "observed.person_id = c.person_id"
    return select.select("observed.observed_until").join("observed", on=on, join_type="left")


def _observed(plan: "Statement") -> exp.Select:
    """person_id and the last day of the observation period that holds the entry, inside the query's period."""
    if not has_periods(plan.tables):
        return select_("c.person_id", "CAST(NULL AS DATE) AS observed_until").from_("cohort AS c").where("FALSE")
    start, end = (f"TRY_CAST(o.{name} AS DATE)" for name in PERIODS[1:])
    last = plan.query.period.last.isoformat()
    return (
        select_("c.person_id", f"LEAST(MAX({end}), CAST('{last}' AS DATE)) AS observed_until")
        .from_("cohort AS c")
        .join(
            "observation_period AS o",
            on=f"o.person_id = c.person_id AND c.start_date >= {start} AND c.start_date <= {end}",
        )
        .group_by("c.person_id")
    )


def _followed_part(plan: "Statement", variable: Variable) -> str:
    """The part with person_id, follow_up and reached: one for both variables of a pair."""
    key = ("followed", variable.events, variable.window, variable.until, variable.at_most, variable.censor)
    if key not in plan.sources:
        plan.sources[key] = f"f{len(plan.sources)}"
        plan.parts[plan.sources[key]] = _followed(plan, variable, plan.sources[key])
    return plan.sources[key]


def _followed(plan: "Statement", variable: Variable, name: str) -> exp.Select:
    assert variable.window is not None
    assert variable.events is not None
    ends = [f"DATE_DIFF('DAY', c.start_date, {'c.end_date' if variable.until == 'cohort' else 'u.observed_until'})"]
    ends += [str(variable.at_most)] if variable.at_most is not None else []
    rows = select_("c.person_id").from_("cohort AS c")
    if variable.until == "observation":
        plan.parts[f"{name}_until"] = observed(plan, select_("c.person_id").from_("cohort AS c"))
        rows = rows.join(f"{name}_until AS u", on="u.person_id = c.person_id")
    looked = [(variable.events, variable.window), *((events, SINCE_ENTRY) for events in variable.censor or ())]
    for place, (events, window) in enumerate(looked):
        part = f"{name}_{place}"
        first = select_("c.person_id", exp.alias_(exp.Min(this=after_entry()), "days").sql("duckdb"))
        first = first.from_("cohort AS c").join(f"{plan.events(events)} AS e", on=inside(window))
        plan.parts[part] = first.group_by("c.person_id")
        rows = rows.join(part, on=f"{part}.person_id = c.person_id", join_type="left")
        ends += [f"{part}.days"] if place else []
    # LEAST passes over what is null, so an unknown end of observation is asked for by itself
    whole = f"LEAST({', '.join(ends)})" if len(ends) > 1 else ends[0]
    rows = rows.select(
        f"{name}_0.days AS event", f"CASE WHEN NOT {ends[0]} IS NULL THEN {whole} END AS last", dialect="duckdb"
    )
    reached = "NOT w.event IS NULL AND w.event <= w.last"
    return select_(
        "w.person_id",
        f"CAST(CASE WHEN {reached} THEN w.event ELSE w.last END AS BIGINT) AS follow_up",
        f"CASE WHEN NOT w.last IS NULL THEN {reached} END AS reached",
    ).from_(rows.subquery("w"))
