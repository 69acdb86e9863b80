"""Small random CDMs and queries that fit them, for property tests."""

from datetime import date, timedelta

import duckdb
from hypothesis import strategies as st

from ansim.research.cohort import query as q
from ansim.research.cohort.reference import PAID_FOR, PLACES

START = date(2018, 1, 1)
DAYS = st.integers(0, 60).map(lambda days: START + timedelta(days=days))
CONCEPTS = st.integers(1, 4)
KINDS = {"person_id": "BIGINT", "value_as_number": "DOUBLE", "total_paid": "DOUBLE", "cost_domain_id": "VARCHAR"}


def _kind(column: str) -> str:
    return KINDS.get(column, "DATE" if column.endswith(("_date", "_datetime")) else "BIGINT")


def columns(event: str) -> list[str]:
    _, concept, start, end, value = PLACES[event]
    keys = [key for named, key in PAID_FOR.values() if named == event]
    return [*keys, "person_id", concept, start, *filter(None, (end, value))]


PERSON = ["person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime"]
COST = ["cost_event_id", "cost_domain_id", "cost_type_concept_id", "total_paid"]
ANCESTOR = ["ancestor_concept_id", "descendant_concept_id"]


def _rows(names: list[str], **values: st.SearchStrategy) -> st.SearchStrategy:
    return st.fixed_dictionaries({name: values[name] for name in names})


@st.composite
def data(draw: st.DrawFn) -> dict:
    people = draw(st.lists(st.integers(1, 5), unique=True, min_size=1, max_size=5))
    person = _rows(
        PERSON[1:],
        gender_concept_id=st.sampled_from([8532, 8507, 0]),
        year_of_birth=st.sampled_from([1950, 1990, 2000, 2017, 2099, None]),
        month_of_birth=st.sampled_from([None, 1, 2, 12, 13]),
        day_of_birth=st.sampled_from([None, 1, 15, 29, 31, 32]),
        birth_datetime=st.sampled_from([None, None, date(1980, 2, 1), date(2018, 1, 20)]),
    )
    tables = {"person": [{"person_id": number} | draw(person) for number in people]}
    number = st.sampled_from([None, 0.0, 1.5, 2.0, -7.25, float("inf"), float("nan")])
    for event, (table, concept, start, end, value) in PLACES.items():
        if draw(st.booleans()) or event in ("condition", "drug"):
            values = {"person_id": st.integers(1, 6), concept: CONCEPTS, start: st.one_of(DAYS, st.none())}
            values |= {end: st.one_of(st.none(), DAYS), value: number}
            values |= {key: st.integers(1, 3) for named, key in PAID_FOR.values() if named == event}
            tables[table] = draw(st.lists(_rows(columns(event), **values), max_size=8))
    if draw(st.booleans()):
        row = _rows(
            COST,
            cost_event_id=st.integers(1, 3),
            cost_domain_id=st.sampled_from(["Visit", "Drug", "Condition", "Other"]),
            cost_type_concept_id=CONCEPTS,
            total_paid=number,
        )
        tables["cost"] = draw(st.lists(row, max_size=6))
    if draw(st.booleans()):
        row = _rows(ANCESTOR, ancestor_concept_id=CONCEPTS, descendant_concept_id=CONCEPTS)
        tables["concept_ancestor"] = draw(st.lists(row, max_size=4))
    return tables


def _window() -> st.SearchStrategy:
    ends = st.one_of(st.none(), st.integers(-40, 40))
    ordered = st.tuples(ends, ends).filter(lambda pair: None in pair or pair[0] <= pair[1])
    return ordered.map(lambda pair: q.Window(*pair))


def _events(named: tuple[str, ...] = q.EVENTS) -> dict:
    likely = st.sampled_from([event for event in ("condition", "drug") if event in named] or list(named))
    return {
        "event": st.one_of(likely, st.sampled_from(named)),
        "concepts": st.lists(CONCEPTS, max_size=3).map(tuple),
        "descendants": st.booleans(),
    }


def criteria() -> st.SearchStrategy:
    return st.builds(q.Criterion, **_events(), window=_window(), at_least=st.integers(1, 2))


def ages() -> st.SearchStrategy:
    bounds = st.tuples(st.sampled_from([None, 0, 18, 28]), st.sampled_from([None, 28, 38, 90]))
    return bounds.map(lambda pair: q.Age(*pair))


@st.composite
def variables(draw: st.DrawFn) -> tuple[q.Variable, ...]:
    made = [q.Variable("sex", "sex"), q.Variable("age", "age"), q.Variable("select", "age_band", width=7)]
    for index in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(q.EVENT_KINDS))
        events = draw(st.builds(q.Events, **_events(q.VALUED if kind == "value" else q.EVENTS)))
        pick = draw(st.sampled_from(q.PICKS)) if kind == "value" else None
        made.append(q.Variable(f"v{index}", kind, events=events, window=draw(_window()), pick=pick))
    return tuple(made)


@st.composite
def queries(draw: st.DrawFn) -> q.Query:
    first = START + timedelta(days=draw(st.sampled_from([0, 0, 10, 20])))
    sexes = st.sampled_from([None, None, ("F",), ("M", "F")])
    return q.Query(
        "물음",
        "A question",
        q.Cohort(
            draw(st.builds(q.Entry, **_events(), which=st.sampled_from(q.WHICH))),
            draw(ages()),
            draw(sexes),
            tuple(draw(st.lists(criteria(), max_size=2))),
            tuple(draw(st.lists(criteria(), max_size=2))),
        ),
        q.Period(first, first + timedelta(days=draw(st.integers(0, 60)))),
        draw(variables()),
    )


def load(con: duckdb.DuckDBPyConnection, tables: dict) -> None:
    """Make these tables (and only these) in the connection's fresh schema."""
    con.execute("DROP SCHEMA IF EXISTS made CASCADE; CREATE SCHEMA made; USE made")
    shapes = {"person": PERSON, "cost": COST, "concept_ancestor": ANCESTOR}
    shapes |= {place[0]: columns(event) for event, place in PLACES.items()}
    for table, rows in tables.items():
        names = shapes[table]
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {_kind(name)}' for name in names)})")
        for row in rows:
            marks = ", ".join("?" for _ in names)
            con.execute(f"INSERT INTO {table} VALUES ({marks})", [row[name] for name in names])
