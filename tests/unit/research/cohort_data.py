"""Small random CDMs and queries that fit them, for property tests."""

import random
from datetime import date, timedelta

import duckdb
from hypothesis import strategies as st

from ansim.research.cohort import query as q
from ansim.research.cohort.reference import PAID_FOR, PLACES

START = date(2018, 1, 1)
KINDS = {"person_id": "BIGINT", "value_as_number": "DOUBLE", "total_paid": "DOUBLE", "cost_domain_id": "VARCHAR"}


def _kind(column: str) -> str:
    return KINDS.get(column, "DATE" if column.endswith(("_date", "_datetime")) else "BIGINT")


def columns(event: str) -> list[str]:
    _, concept, start, end, value = PLACES[event]
    keys = [key for named, key in PAID_FOR.values() if named == event]
    return [*keys, "person_id", concept, start, *filter(None, (end, value))]


PERSON = ["person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime"]
COST = ["cost_event_id", "cost_domain_id", "cost_type_concept_id", "total_paid"]
PERIOD = ["person_id", "observation_period_start_date", "observation_period_end_date"]
ANCESTOR = ["ancestor_concept_id", "descendant_concept_id"]


def data() -> st.SearchStrategy:
    """A CDM from a seed: dense enough that most queries find somebody, with dirt in every column."""
    return st.integers(0, 10_000).map(lambda seed: made(random.Random(seed)))


def made(chance: random.Random) -> dict:
    def rows(count: int, values: dict) -> list[dict]:
        return [{name: chance.choice(list(choices)) for name, choices in values.items()} for _ in range(count)]

    person = {
        "gender_concept_id": [8532, 8507, 8507, 0],
        "year_of_birth": [1950, 1990, 2000, 2017, 2099, None],
        "month_of_birth": [None, 1, 2, 12, 13],
        "day_of_birth": [None, 1, 15, 29, 31, 32],
        "birth_datetime": [None, None, date(1980, 2, 1), date(2018, 1, 20)],
    }
    days = [START + timedelta(days=day) for day in range(60)]
    numbers = [None, 0.0, 1.5, 2.0, -7.25, float("inf"), float("nan")]
    keys = {"person_id": range(1, 25)}
    people = [{"person_id": index + 1} | row for index, row in enumerate(rows(20, person))]
    tables = {"person": people}
    for event, (table, concept, start, end, value) in PLACES.items():
        if chance.random() < 0.6 or event in ("condition", "drug"):
            likely = {"person_id": keys["person_id"], concept: range(1, 5), start: [None, *days]}
            likely |= {end: [None, *days], value: numbers}
            likely |= {key: range(1, 40) for named, key in PAID_FOR.values() if named == event}
            chosen = {name: likely[name] for name in columns(event)}
            tables[table] = rows(60 if event in ("condition", "drug") else 25, chosen)
    if chance.random() < 0.5:
        domains = ["Visit", "Drug", "Condition", "Other"]
        choices = [range(1, 40), domains, range(1, 5), numbers]
        tables["cost"] = rows(25, dict(zip(COST, choices, strict=True)))
    if chance.random() < 0.8:
        likely = {"person_id": keys["person_id"], PERIOD[1]: [None, *days[:30]], PERIOD[2]: [None, *days[20:]]}
        tables["observation_period"] = rows(40, likely)
    if chance.random() < 0.5:
        tables["concept_ancestor"] = rows(3, dict.fromkeys(ANCESTOR, range(1, 5)))
    return tables


def _window() -> st.SearchStrategy:
    ends = st.one_of(st.none(), st.integers(-40, 40))
    ordered = st.tuples(ends, ends).filter(lambda pair: None in pair or pair[0] <= pair[1])
    return ordered.map(lambda pair: q.Window(*pair))


def _events(named: tuple[str, ...] = q.EVENTS) -> dict:
    likely = st.sampled_from([event for event in ("condition", "drug") if event in named] or list(named))
    return {
        "event": st.one_of(likely, st.sampled_from(named)),
        "concepts": st.sampled_from([(), (1, 2), (1, 2, 3), (3,)]),
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
        if kind in q.FOLLOWED:
            made += draw(followed(index, events))
        else:
            made.append(q.Variable(f"v{index}", kind, events=events, window=draw(_window()), pick=pick))
    return tuple(made)


@st.composite
def followed(draw: st.DrawFn, index: int, events: q.Events) -> list[q.Variable]:
    """Time to an event and whether it came, of one follow-up."""
    parts = {
        "events": events,
        "window": q.Window(draw(st.sampled_from([0, 0, 1, 5])), draw(st.sampled_from([None, None, 30]))),
        "until": draw(st.sampled_from([None, *q.UNTIL])),
        "at_most": draw(st.sampled_from([None, None, 10])),
        "censor": tuple(draw(st.lists(st.builds(q.Events, **_events()), max_size=2))),
    }
    return [q.Variable(f"v{index}_{kind}", kind, **parts) for kind in q.FOLLOWED]


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
            tuple(draw(st.lists(criteria(), max_size=1))),
            tuple(draw(st.lists(criteria(), max_size=2))),
        ),
        q.Period(first, first + timedelta(days=draw(st.sampled_from([59, 40, 40, 15, 0])))),
        draw(variables()),
    )


def load(con: duckdb.DuckDBPyConnection, tables: dict) -> None:
    """Make these tables (and only these) in the connection's fresh schema."""
    con.execute("DROP SCHEMA IF EXISTS made CASCADE; CREATE SCHEMA made; USE made")
    shapes = {"person": PERSON, "cost": COST, "concept_ancestor": ANCESTOR, "observation_period": PERIOD}
    shapes |= {place[0]: columns(event) for event, place in PLACES.items()}
    for table, rows in tables.items():
        names = shapes[table]
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {_kind(name)}' for name in names)})")
        if rows:
            marks = ", ".join(f"({', '.join('?' for _ in names)})" for _ in rows)
            con.execute(f"INSERT INTO {table} VALUES {marks}", [row[name] for row in rows for name in names])
