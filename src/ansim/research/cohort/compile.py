"""Queries to SQLGlot trees for every engine, and their results. A definition is compiled by `definition.compile`.

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

from ansim.data.engine import DuckDB, Engine, Without
from ansim.data.engine.protocol import failed
from ansim.errors import N_, Problem
from ansim.research.cohort import frame_columns
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition import run as definitions
from ansim.research.cohort.definition.compile import Plan
from ansim.research.cohort.definition.sets import Shared, look_up, share
from ansim.research.cohort.pieces import earliest, inside, select_
from ansim.research.cohort.query import Cohort, Criterion, Events, Query
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

Source = duckdb.DuckDBPyConnection | Engine
FEMALE, MALE = 8532, 8507
# A day as the number YYYYMMDD: every engine has whole numbers, while what becomes of an impossible date differs.
NUMBER = "EXTRACT(YEAR FROM {day}) * 10000 + EXTRACT(MONTH FROM {day}) * 100 + EXTRACT(DAY FROM {day})"
ENTERED_ON = NUMBER.format(day="e.start_date")
AGE = f"CASE WHEN {ENTERED_ON} < p.birth THEN -1 ELSE CAST(FLOOR(({ENTERED_ON} - p.birth) / 10000.0) AS BIGINT) END"
MONTH_DAYS = (
    "CASE WHEN {month} = 2 THEN CASE WHEN {year} % 400 = 0 OR ({year} % 4 = 0 AND {year} % 100 <> 0) THEN 29 ELSE 28 "
    "END WHEN {month} IN (4, 6, 9, 11) THEN 30 ELSE 31 END"
)
BIRTH = (
    "CASE WHEN {year} BETWEEN 1000 AND 9999 THEN {year} * 10000 + CASE WHEN {month} BETWEEN 1 AND 12 THEN "
    "{month} * 100 + CASE WHEN {day} BETWEEN 1 AND " + MONTH_DAYS + " THEN {day} ELSE 15 END ELSE 701 END END"
)
KNOWN_AGE = "CASE WHEN d.age >= 0 THEN d.age END"
OBSERVED = "observed_until"
ENTERED = "ansim_entered"  # the name of the view that `frame_of` makes for as long as it runs
LARGEST = "1e300"  # beyond it a number is an error of the source (infinite, not a number)


def cohort_sql(
    query: Query, tables: Tables | None = None, leave_out: bool = False, shared: Shared | None = None
) -> exp.Select:
    """The tree that gives (person_id, start_date, end_date), one row a person, in the order of person_id.

    Where a variable asks how long people were observed also `observed_until`: the end of the observation period that
    holds the entry, the query's last day at the latest; null without one.
    tables: what the database has; None is the whole CDM 5.4. leave_out: with one parameter, the list of people who
    do not exist for this query. shared: the query's definition with its concept sets looked up.
    """
    plan = Statement(query, tables or full(), leave_out, shared)
    select = select_("c.person_id AS person_id", "c.start_date", "c.end_date").from_("cohort AS c")
    if query.observed:
        select = frame_columns.observed(plan, select)
    return plan.attach(select.order_by("c.person_id"))


def frame_sql(
    query: Query,
    tables: Tables | None = None,
    leave_out: bool = False,
    shared: Shared | None = None,
    entered: str = "",
    known: bool = False,
) -> exp.Select:
    """The tree that gives the frame: person_id and one column a variable, one row a person of the cohort.

    entered: a table (person_id, start_date, end_date) that says who is in the cohort, instead of the query; known:
    its column observed_until says how long people were observed.
    """
    plan = Statement(query, tables or full(), leave_out, shared, entered, known)
    select = select_("c.person_id AS person_id").from_("cohort AS c")
    for index, variable in enumerate(query.variables):
        select = frame_columns.column(plan, select, variable, f"v{index}")
    return plan.attach(select.order_by("c.person_id"))


def cohort(source: Source, query: Query, leave_out: Sequence | None = None) -> pa.Table:
    """The cohort: person_id (its own type), start_date, end_date, and maybe observed_until."""
    return _run(source, cohort_sql, query, leave_out)


def frame(source: Source, query: Query, leave_out: Sequence | None = None) -> pa.Table:
    """The frame, ordered by person_id. leave_out: people who are treated as if not in the data.

    Columns: sex and age_band text; age, count, days and follow_up int64; flag and reached bool; value double.
    """
    return _run(source, frame_sql, query, leave_out)


def frame_of(con: duckdb.DuckDBPyConnection, query: Query, entered: pa.Table) -> pa.Table:
    """The frame of people whose entry is known already: person_id, start_date, end_date, one row a person.

    As an extract is: it says who entered when, and need not hold what they were chosen by. With a column
    observed_until it need not hold observation periods either.
    """
    names = [name for name in ("person_id", "start_date", "end_date", OBSERVED) if name in entered.column_names]
    con.register(ENTERED, entered.select(names))
    try:
        return con.sql(
            frame_sql(query, available_tables(con), entered=ENTERED, known=OBSERVED in names).sql("duckdb")
        ).to_arrow_table()
    finally:
        con.unregister(ENTERED)


def missing(source: Source, query: Query) -> list[str]:
    """The kinds of event that the query asks for and this database or engine has no table of, sorted."""
    engine = _engine(source)
    tables = engine.columns()
    found = {events.event for events in query.events() if not has(tables, events.event)}
    if query.observed and not frame_columns.has_periods(tables):
        found.add("observation_period")
    if isinstance(query.cohort, m.Definition):
        found |= set(definitions.missing(engine, [query.cohort]))
    return sorted(found)


def _engine(source: Source) -> Engine:
    return DuckDB(source) if isinstance(source, duckdb.DuckDBPyConnection) else source


def _run(source: Source, compiler: Any, query: Query, leave_out: Sequence | None) -> pa.Table:
    engine = _engine(source)
    tables = engine.columns()
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
        look_up(engine, shared)
    if not isinstance(source, duckdb.DuckDBPyConnection):
        return Without(engine, leave_out or []).table(compiler(query, tables, False, shared))
    sql = compiler(query, tables, leave_out is not None, shared).sql("duckdb")
    try:  # one parameter for the people left out, however many they are
        return source.sql(sql, params=[list(leave_out)] if leave_out is not None else None).to_arrow_table()
    except (duckdb.BinderException, duckdb.CatalogException) as error:  # a column that the definition asks for
        raise failed(error) from error


class Statement:
    """Collects the named parts (common table expressions) of one statement."""

    def __init__(
        self,
        query: Query,
        tables: Tables,
        leave_out: bool,
        shared: Shared | None,
        entered: str = "",
        known: bool = False,
    ):
        self.query, self.tables, self.known = query, tables, known
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
        birth = BIRTH.format(year=year, month=month, day=day)
        if "birth_datetime" in columns:
            birth = f"COALESCE({NUMBER.format(day='TRY_CAST(birth_datetime AS DATE)')}, {birth})"
        gender = whole("gender_concept_id")
        sex = f"CASE WHEN {gender} = {FEMALE} THEN 'F' WHEN {gender} = {MALE} THEN 'M' END"
        select = select_("person_id", f"MIN({sex}) AS sex", f"MIN({birth}) AS birth").from_("person")
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
            select_("s.person_id", "s.start_date", "COALESCE(s.end_date, s.start_date) AS end_date")
            .select(f"CASE WHEN s.value BETWEEN -{LARGEST} AND {LARGEST} THEN s.value END AS value")
            .from_(rows.subquery("s"))
            .where(f"s.start_date BETWEEN CAST('{first}' AS DATE) AND CAST('{last}' AS DATE)")
        )
        return select.where(self._chosen(events)) if events.concepts else select

    def _chosen(self, events: Events) -> exp.Condition:
        listed = exp.column("concept", "s").isin(*events.concepts)
        if not events.descendants or not has_ancestors(self.tables):
            return listed
        below = select_("a.descendant_concept_id").from_("concept_ancestor AS a")
        below = below.where(exp.column("ancestor_concept_id", "a").isin(*events.concepts))
        return exp.or_(listed, exp.column("concept", "s").isin(query=below))

    def _rows(self, event: str) -> exp.Query:
        if not has(self.tables, event):
            return self._nothing()
        source = SOURCES[event]
        columns = self.tables[source.table]
        end = f"TRY_CAST({source.end} AS DATE)" if source.end in columns else "CAST(NULL AS DATE)"
        value = f"TRY_CAST({source.value} AS DOUBLE)" if source.value in columns else "CAST(NULL AS DOUBLE)"
        return select_(
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
                select_("t.person_id", "k.cost_type_concept_id AS concept")
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
        kinds = {"concept": "BIGINT", "start_date": "DATE", "end_date": "DATE", "value": "DOUBLE"}
        none = select_("person_id", *(f"CAST(NULL AS {kind}) AS {name}" for name, kind in kinds.items()))
        return none.from_("person").where("FALSE")

    def _entered(self, table: str) -> exp.Select:
        """The people of a table that says who entered when, with their sex and age then."""
        more = [OBSERVED] if self.known else []
        rows = (
            select_("e.person_id", "e.start_date", "e.end_date", *(f"e.{name}" for name in more), "p.sex")
            .select(f"{AGE} AS age")
            .from_(f"{table} AS e")
            .join("people AS p", on="p.person_id = e.person_id")
        )
        kept = select_("d.person_id", "d.start_date", "d.end_date", "d.sex", f"{KNOWN_AGE} AS age")
        return kept.select(*(f"d.{name}" for name in more)).from_(rows.subquery("d"))

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
            select_("e.person_id", "e.start_date", "p.sex", f"{AGE} AS age")
            .select(f"LEAST(e.end_date, CAST('{period.last.isoformat()}' AS DATE)) AS end_date")
            .from_(periods.subquery("e"))
            .join("people AS p", on="p.person_id = e.person_id")
        )
        first = earliest(rows, names)
        return select_("d.person_id", "d.start_date", "d.end_date", "d.sex", f"{KNOWN_AGE} AS age").from_(
            first.subquery("d")
        )

    def _candidates(self, cohort: Cohort) -> exp.Select:
        """Each day on which a person could enter: with `first` one a person, with `any` every day of an event."""
        name = self.events(cohort.entry)
        last = self.query.period.last.isoformat()
        days = (
            select_("e.person_id", "e.start_date", "p.sex", f"{AGE} AS age")
            .select(f"GREATEST(e.start_date, LEAST(MAX(e.end_date), CAST('{last}' AS DATE))) AS end_date")
            .from_(f"{name} AS e")
            .join("people AS p", on="p.person_id = e.person_id")
            .group_by("e.person_id", "e.start_date", "p.sex", "p.birth")
        )
        columns = select_("d.person_id", "d.start_date", "d.end_date", "d.sex", f"{KNOWN_AGE} AS age")
        if cohort.entry.which == "any":
            return columns.from_(days.subquery("d"))
        return columns.from_(earliest(days, ("person_id", "start_date", "end_date", "sex", "age")).subquery("d"))

    def _cohort(self, cohort: Cohort) -> exp.Select:
        names = ("person_id", "start_date", "end_date", "sex", "age")
        select = select_(*(f"c.{name}" for name in names)).from_("candidates AS c")
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
                found = exp.Exists(this=select_("1").from_(name).where(same))
                select = select.where(found if prefix == "r" else exp.not_(found))
        return earliest(select, names) if cohort.entry.which == "any" else select

    def _holds(self, criterion: Criterion) -> exp.Select:
        """The candidates (person_id, start_date) for whom the criterion holds."""
        return (
            select_("c.person_id", "c.start_date")
            .from_("candidates AS c")
            .join(f"{self.events(criterion)} AS e", on=inside(criterion.window))
            .group_by("c.person_id", "c.start_date")
            .having(f"COUNT(*) >= {criterion.at_least}")
        )
