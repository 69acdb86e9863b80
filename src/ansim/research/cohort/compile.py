"""Queries to SQLGlot trees for DuckDB, and their results. A definition (query/2) is compiled by `definition.compile`.

What the words mean (the reference engine says the same in plain Python):

- Events that start outside the period do not exist. Only people in `person` count.
- Entry `first`: the first entry event inside the period, then all criteria are asked of that day. `any`: the earliest
  entry event inside the period on whose day all criteria hold. Either way one row a person.
- Age: completed years on the entry date. Birth: birth_datetime, else year, month and day; an unknown or impossible day
  is taken as the 15th, an unknown month as 1 July (the middle of the year). A birth after the entry: age unknown.
- Sex: F for concept 8532, M for 8507, else unknown.
- Descendants: those in concept_ancestor beside the listed concepts themselves (which alone remain without that table).
- end_date: the latest end among the entry events of that day; without one the start; never after the period.
- A definition: each person's first period, of people in `person`; it ends with the query's period at the latest.
- A table that is not there counts as empty (see `missing`), except `person`.
"""

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from ansim.data.engine import DuckDB
from ansim.data.engine.protocol import failed
from ansim.errors import N_, Problem
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition import run as definitions
from ansim.research.cohort.definition.compile import Plan
from ansim.research.cohort.definition.sets import Shared, look_up, share
from ansim.research.cohort.query import Cohort, Criterion, Events, Query, Variable, Window
from ansim.research.cohort.tables import (
    COST_DOMAINS,
    SOURCES,
    Tables,
    available_tables,
    cost_targets,
    full,
    has,
    has_ancestors,
)

FEMALE, MALE = 8532, 8507
AGE = (
    "EXTRACT(YEAR FROM {at}) - EXTRACT(YEAR FROM {birth}) - CASE WHEN EXTRACT(MONTH FROM {at}) * 100 + "
    "EXTRACT(DAY FROM {at}) < EXTRACT(MONTH FROM {birth}) * 100 + EXTRACT(DAY FROM {birth}) THEN 1 ELSE 0 END"
).format(at="e.start_date", birth="p.birth")
KNOWN_AGE = "CASE WHEN d.age >= 0 THEN d.age END"
ENTERED = "ansim_entered"  # the name of the view that `frame_of` makes for as long as it runs
LARGEST = "1e300"  # beyond it a number is an error of the source (infinite, not a number)


def cohort_sql(
    query: Query, tables: Tables | None = None, leave_out: bool = False, shared: Shared | None = None
) -> exp.Select:
    """The tree that gives (person_id, start_date, end_date), one row a person, in the order of person_id.

    tables: what the database has; None is the whole CDM 5.4. leave_out: with one parameter, the list of people who
    do not exist for this query. shared: the query's definition with its concept sets looked up.
    """
    plan = _Plan(query, tables or full(), leave_out, shared)
    select = _select("person_id AS person_id", "start_date", "end_date").from_("cohort").order_by("person_id")
    return plan.attach(select)


def frame_sql(
    query: Query,
    tables: Tables | None = None,
    leave_out: bool = False,
    shared: Shared | None = None,
    entered: str = "",
) -> exp.Select:
    """The tree that gives the frame: person_id and one column a variable, one row a person of the cohort.

    entered: a table (person_id, start_date, end_date) that says who is in the cohort, instead of the query.
    """
    plan = _Plan(query, tables or full(), leave_out, shared, entered)
    select = _select("c.person_id AS person_id").from_("cohort AS c")
    for index, variable in enumerate(query.variables):
        select = plan.column(select, variable, f"v{index}")
    return plan.attach(select.order_by("c.person_id"))


def cohort(con: duckdb.DuckDBPyConnection, query: Query, leave_out: Sequence | None = None) -> pa.Table:
    """The cohort in this database: person_id (its own type), start_date, end_date."""
    return _run(con, cohort_sql, query, leave_out)


def frame(con: duckdb.DuckDBPyConnection, query: Query, leave_out: Sequence | None = None) -> pa.Table:
    """The frame in this database, ordered by person_id. leave_out: people who are treated as if not in the data.

    Columns: sex and age_band text, age and count int64, flag bool, value double.
    """
    return _run(con, frame_sql, query, leave_out)


def frame_of(con: duckdb.DuckDBPyConnection, query: Query, entered: pa.Table) -> pa.Table:
    """The frame of people whose entry is known already: person_id, start_date, end_date, one row a person.

    As an extract is: it says who entered when, and need not hold what they were chosen by.
    """
    con.register(ENTERED, entered.select(["person_id", "start_date", "end_date"]))
    try:
        return con.sql(frame_sql(query, available_tables(con), entered=ENTERED).sql("duckdb")).to_arrow_table()
    finally:
        con.unregister(ENTERED)


def missing(con: duckdb.DuckDBPyConnection, query: Query) -> list[str]:
    """The kinds of event that the query asks for and this database has no table of, sorted."""
    tables = available_tables(con)
    found = {events.event for events in query.events() if not has(tables, events.event)}
    if isinstance(query.cohort, m.Definition):
        found |= set(definitions.missing(DuckDB(con), [query.cohort]))
    return sorted(found)


def _run(con: duckdb.DuckDBPyConnection, compiler: Any, query: Query, leave_out: Sequence | None) -> pa.Table:
    tables = available_tables(con)
    if "person_id" not in tables.get("person", {}):
        raise Problem(
            "no-person",
            N_("The data have no table of persons."),
            where="person",
            remedy=N_("Load the table person with its column person_id."),
        )
    shared = None
    if isinstance(query.cohort, m.Definition):
        shared = share([query.cohort])
        look_up(DuckDB(con), shared)
    sql = compiler(query, tables, leave_out is not None, shared).sql("duckdb")
    try:
        return con.sql(sql, params=[list(leave_out)] if leave_out is not None else None).to_arrow_table()
    except (duckdb.BinderException, duckdb.CatalogException) as error:  # a column that the definition asks for
        raise failed(error) from error


def _select(*columns: str) -> exp.Select:
    return exp.select(*columns, dialect="duckdb")


class _Plan:
    """Collects the named parts (common table expressions) of one statement."""

    def __init__(self, query: Query, tables: Tables, leave_out: bool, shared: Shared | None, entered: str = ""):
        self.query, self.tables = query, tables
        self.parts: dict[str, exp.Query] = {}
        self.sources: dict[tuple, str] = {}
        self.parts["people"] = self._people(leave_out)
        if entered:
            self.parts["cohort"] = self._entered(entered)
        elif isinstance(query.cohort, Cohort):
            self.parts["candidates"] = self._candidates(query.cohort)
            self.parts["cohort"] = self._cohort(query.cohort)
        else:
            assert shared is not None, "a definition's concept sets are looked up first"
            self.parts["cohort"] = self._defined(shared)

    def attach(self, select: exp.Select) -> exp.Select:
        for name, part in self.parts.items():
            select = select.with_(name, as_=part, dialect="duckdb")
        return select

    def _people(self, leave_out: bool) -> exp.Select:
        columns = self.tables["person"]

        def whole(name: str) -> str:
            return f"TRY_CAST({name} AS BIGINT)" if name in columns else "CAST(NULL AS BIGINT)"

        year, month, day = (whole(f"{part}_of_birth") for part in ("year", "month", "day"))
        birth = (
            f"CASE WHEN {year} BETWEEN 1000 AND 9999 THEN COALESCE("
            f"TRY_CAST({year} || '-' || {month} || '-' || {day} AS DATE), "
            f"TRY_CAST({year} || '-' || {month} || '-15' AS DATE), TRY_CAST({year} || '-07-01' AS DATE)) END"
        )
        if "birth_datetime" in columns:
            birth = f"COALESCE(TRY_CAST(birth_datetime AS DATE), {birth})"
        gender = whole("gender_concept_id")
        sex = f"CASE WHEN {gender} = {FEMALE} THEN 'F' WHEN {gender} = {MALE} THEN 'M' END"
        select = _select("person_id", f"MIN({sex}) AS sex", f"MIN({birth}) AS birth").from_("person")
        select = select.where("NOT person_id IS NULL").group_by("person_id")
        if leave_out:  # one parameter, cast to the column's own type so that 7 and '7' are never taken for different
            kind = columns["person_id"] or "VARCHAR"
            select = select.where(f"NOT person_id IN (SELECT UNNEST(CAST(? AS {kind}[])))", dialect="duckdb")
        return select

    def events(self, events: Events) -> str:
        """The name of the part with these events inside the period: person_id, start_date, end_date, value."""
        key = (events.event, events.concepts, events.descendants)
        if key not in self.sources:
            name = f"e{len(self.sources)}"
            self.sources[key] = name
            self.parts[name] = self._events(events)
        return self.sources[key]

    def _events(self, events: Events) -> exp.Select:
        first, last = self.query.period.first.isoformat(), self.query.period.last.isoformat()
        rows = self._costs() if events.event == "cost" else self._rows(events.event)
        select = (
            _select("s.person_id", "s.start_date", "COALESCE(s.end_date, s.start_date) AS end_date")
            .select(f"CASE WHEN s.value BETWEEN -{LARGEST} AND {LARGEST} THEN s.value END AS value")
            .from_(rows.subquery("s"))
            .where(f"s.start_date BETWEEN CAST('{first}' AS DATE) AND CAST('{last}' AS DATE)")
        )
        return select.where(self._chosen(events)) if events.concepts else select

    def _chosen(self, events: Events) -> exp.Condition:
        listed = exp.column("concept", "s").isin(*events.concepts)
        if not events.descendants or not has_ancestors(self.tables):
            return listed
        below = _select("a.descendant_concept_id").from_("concept_ancestor AS a")
        below = below.where(exp.column("ancestor_concept_id", "a").isin(*events.concepts))
        return exp.or_(listed, exp.column("concept", "s").isin(query=below))

    def _rows(self, event: str) -> exp.Query:
        if not has(self.tables, event):
            return self._nothing()
        source = SOURCES[event]
        columns = self.tables[source.table]
        end = f"TRY_CAST({source.end} AS DATE)" if source.end in columns else "CAST(NULL AS DATE)"
        value = f"TRY_CAST({source.value} AS DOUBLE)" if source.value in columns else "CAST(NULL AS DOUBLE)"
        return _select(
            "person_id",
            f"{source.concept} AS concept",
            f"TRY_CAST({source.start} AS DATE) AS start_date",
            f"{end} AS end_date",
            f"{value} AS value",
        ).from_(source.table)

    def _costs(self) -> exp.Query:
        if not has(self.tables, "cost"):
            return self._nothing()
        whole: exp.Query | None = None
        for domain in cost_targets(self.tables):
            event, key = COST_DOMAINS[domain]
            source = SOURCES[event]
            part = (
                _select("t.person_id", "k.cost_type_concept_id AS concept")
                .select(f"TRY_CAST(t.{source.start} AS DATE) AS start_date", "CAST(NULL AS DATE) AS end_date")
                .select("TRY_CAST(k.total_paid AS DOUBLE) AS value")
                .from_("cost AS k")
                .join(f"{source.table} AS t", on=f"t.{key} = k.cost_event_id")
                .where(f"k.cost_domain_id = '{domain}'")
            )
            whole = part if whole is None else whole.union(part, distinct=False)
        assert whole is not None
        return whole

    def _nothing(self) -> exp.Select:
        columns = ("NULL AS concept", "CAST(NULL AS DATE) AS start_date", "CAST(NULL AS DATE) AS end_date")
        none = _select("person_id", *columns, "CAST(NULL AS DOUBLE) AS value")
        return none.from_("person").where("FALSE")

    def _entered(self, table: str) -> exp.Select:
        """The people of a table that says who entered when, with their sex and age then."""
        rows = (
            _select("e.person_id", "e.start_date", "e.end_date", "p.sex", f"{AGE} AS age")
            .from_(f"{table} AS e")
            .join("people AS p", on="p.person_id = e.person_id")
        )
        columns = _select("d.person_id", "d.start_date", "d.end_date", "d.sex", f"{KNOWN_AGE} AS age")
        return columns.from_(rows.subquery("d"))

    def _defined(self, shared: Shared) -> exp.Select:
        """Each person's first period of the definition, in which events outside the query's period do not exist."""
        period = self.query.period
        columns = {table: {name: kind.lower() for name, kind in found.items()} for table, found in self.tables.items()}
        plan = Plan(columns, shared.members, m.Days(period.first, period.last))
        (definition,) = shared.definitions
        periods = plan.cohort(definition)
        self.parts |= plan.parts
        names = ("person_id", "start_date", "end_date", "sex", "age")
        rows = (
            _select("e.person_id", "e.start_date", "p.sex", f"{AGE} AS age")
            .select(f"LEAST(e.end_date, CAST('{period.last.isoformat()}' AS DATE)) AS end_date")
            .from_(periods.subquery("e"))
            .join("people AS p", on="p.person_id = e.person_id")
        )
        first = _earliest(rows, names)
        return _select("d.person_id", "d.start_date", "d.end_date", "d.sex", f"{KNOWN_AGE} AS age").from_(
            first.subquery("d")
        )

    def _candidates(self, cohort: Cohort) -> exp.Select:
        """Each day on which a person could enter: with `first` one a person, with `any` every day of an event."""
        name = self.events(cohort.entry)
        last = self.query.period.last.isoformat()
        days = (
            _select("e.person_id", "e.start_date", "p.sex", f"{AGE} AS age")
            .select(f"GREATEST(e.start_date, LEAST(MAX(e.end_date), CAST('{last}' AS DATE))) AS end_date")
            .from_(f"{name} AS e")
            .join("people AS p", on="p.person_id = e.person_id")
            .group_by("e.person_id", "e.start_date", "p.sex", "p.birth")
        )
        columns = _select("d.person_id", "d.start_date", "d.end_date", "d.sex", f"{KNOWN_AGE} AS age")
        if cohort.entry.which == "any":
            return columns.from_(days.subquery("d"))
        return columns.from_(_earliest(days, ("person_id", "start_date", "end_date", "sex", "age")).subquery("d"))

    def _cohort(self, cohort: Cohort) -> exp.Select:
        names = ("person_id", "start_date", "end_date", "sex", "age")
        select = _select(*(f"c.{name}" for name in names)).from_("candidates AS c")
        if cohort.age.min is not None:
            select = select.where(f"c.age >= {cohort.age.min}")
        if cohort.age.max is not None:
            select = select.where(f"c.age <= {cohort.age.max}")
        if cohort.sex is not None:
            select = select.where(exp.column("sex", "c").isin(*cohort.sex))
        for prefix, criteria in (("r", cohort.require), ("x", cohort.exclude)):
            for index, criterion in enumerate(criteria):
                name = f"{prefix}{index}"
                self.parts[name] = self._holds(criterion)
                same = f"{name}.person_id = c.person_id AND {name}.start_date = c.start_date"
                found = exp.Exists(this=_select("1").from_(name).where(same))
                select = select.where(found if prefix == "r" else exp.not_(found))
        return _earliest(select, names) if cohort.entry.which == "any" else select

    def _holds(self, criterion: Criterion) -> exp.Select:
        """The candidates (person_id, start_date) for whom the criterion holds."""
        return (
            _select("c.person_id", "c.start_date")
            .from_("candidates AS c")
            .join(f"{self.events(criterion)} AS e", on=_inside(criterion.window))
            .group_by("c.person_id", "c.start_date")
            .having(f"COUNT(*) >= {criterion.at_least}")
        )

    def column(self, select: exp.Select, variable: Variable, name: str) -> exp.Select:
        """The select with the variable's column added and, for events, its part joined."""
        alias = exp.to_identifier(variable.name, quoted=True)

        def add(text: str) -> exp.Select:
            return select.select(exp.alias_(exp.maybe_parse(text, dialect="duckdb"), alias))

        if variable.kind == "sex":
            return add("c.sex")
        if variable.kind == "age":
            return add("CAST(c.age AS BIGINT)")
        if variable.kind == "age_band":
            low = f"CAST(FLOOR(c.age / {variable.width}) AS BIGINT) * {variable.width}"
            return add(f"CAST({low} AS VARCHAR) || '-' || CAST({low} + {variable.width} - 1 AS VARCHAR)")
        self.parts[name] = self._measured(variable)
        forms = {
            "flag": f"NOT {name}.person_id IS NULL",
            "count": f"COALESCE({name}.value, CAST(0 AS BIGINT))",
            "value": f"{name}.value",
        }
        return add(forms[variable.kind]).join(name, on=f"{name}.person_id = c.person_id", join_type="left")

    def _measured(self, variable: Variable) -> exp.Select:
        """person_id and value of the people who have such an event in the window, one row a person."""
        assert variable.events is not None
        assert variable.window is not None
        source = self.events(variable.events)
        joined = _select("c.person_id").from_("cohort AS c")
        joined = joined.join(f"{source} AS e", on=_inside(variable.window))
        if variable.kind != "value":
            return joined.select("COUNT(*) AS value").group_by("c.person_id")
        joined = joined.where("NOT e.value IS NULL")
        if variable.pick in ("first", "last"):
            order = "start_date, value" if variable.pick == "first" else "start_date DESC, value DESC"
            return _earliest(joined.select("e.start_date", "e.value"), ("person_id", "value"), order)
        function = {"min": "MIN", "max": "MAX", "mean": "AVG", "sum": "SUM"}[str(variable.pick)]
        return joined.select(f"{function}(e.value) AS value").group_by("c.person_id")


def _inside(window: Window) -> exp.Condition:
    """The event `e` is of the person of `c` and inside the window around the entry date."""
    days = exp.DateDiff(
        this=exp.column("start_date", "e"), expression=exp.column("start_date", "c"), unit=exp.var("DAY")
    )
    inside: exp.Condition = exp.column("person_id", "e").eq(exp.column("person_id", "c"))
    if window.from_days is not None:
        inside = exp.and_(inside, days >= window.from_days)
    if window.to_days is not None:
        inside = exp.and_(inside, days.copy() <= window.to_days)
    return inside


def _earliest(rows: exp.Select, columns: tuple[str, ...], order: str = "start_date") -> exp.Select:
    """One row a person: the first in this order."""
    rank = f"ROW_NUMBER() OVER (PARTITION BY q.person_id ORDER BY {order}) AS place"
    ranked = _select("q.*", rank).from_(rows.subquery("q"))
    return _select(*(f"w.{name}" for name in columns)).from_(ranked.subquery("w")).where("w.place = 1")
