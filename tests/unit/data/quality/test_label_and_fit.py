"""The label states only what was measured or said; fitness is of exactly what a query names."""

from datetime import UTC, date, datetime

import hospital as h
import pytest

from ansim.data.engine import DuckDB
from ansim.data.quality import PASS, assess
from ansim.data.quality.fit import fitness
from ansim.data.quality.label import dimensions, label

NOW = datetime(2023, 6, 1, tzinfo=UTC)
QUERY = {
    "ansim": "query/1",
    "title": {"ko": "당뇨", "en": "Diabetes"},
    "cohort": {
        "entry": {"event": "condition", "concepts": [h.DIABETES]},
        "exclude": [{"event": "procedure", "concepts": [h.ECG, 999999], "window": {"from_days": -30, "to_days": 0}}],
    },
    "variables": [
        {"name": "age", "kind": "age"},
        {"name": "glucose", "kind": "value", "event": "measurement", "concepts": [h.GLUCOSE], "pick": "last"},
    ],
    "period": {"from": "2018-01-01", "to": "2019-12-31"},
}


@pytest.fixture(scope="module")
def engine():
    with h.hospital(21, people=200) as con:
        con.execute(f"UPDATE measurement SET unit_concept_id = 8582 WHERE measurement_concept_id = {h.GLUCOSE}")
        yield DuckDB(con)


@pytest.fixture(scope="module")
def results(engine):
    return assess(engine, now=NOW)


def test_the_label_has_the_twelve_and_guesses_nothing(results):
    assert len(dimensions()) == 12
    assert sum(one.weight for one in dimensions()) == pytest.approx(100, abs=0.1)
    told = {one["name"]: one for one in label(results, version="v", compared=False, source={})["dimensions"]}
    unknown = {name for name, one in told.items() if one["level"] is None}
    assert unknown == {"accessibility", "population-coverage", "population-representativity", "compliance",
                       "data-provenance", "accuracy", "coherence", "precision"}  # fmt: skip
    assert all(told[name]["basis"] == "asked" for name in unknown)
    assert told["consistency"]["broken"] == 1
    completeness = [one for one in results if one.type.category == "Completeness" and one.verdict == PASS]
    assert told["completeness"]["held"] == len(completeness) > 100


def test_what_the_holder_states_is_marked_as_stated_and_never_replaces_a_measurement(results):
    said = {"accuracy": 1, "completeness": 0}
    told = {
        one["name"]: one for one in label(results, version="v", compared=True, source={}, stated=said)["dimensions"]
    }
    assert (told["accuracy"]["level"], told["accuracy"]["basis"]) == (1, "stated")
    assert (told["completeness"]["level"], told["completeness"]["basis"]) == (2, "measured")
    assert told["coherence"]["level"] == 1


def test_fitness_is_of_what_the_query_names_in_its_period(engine, results):
    entry, excluded, glucose = fitness(engine, QUERY, results)
    count = engine.rows(
        "SELECT count(DISTINCT person_id), count(*) FROM condition_occurrence "
        f"WHERE condition_concept_id = {h.DIABETES} AND condition_start_date BETWEEN '2018-01-01' AND '2019-12-31'"
    )[0]
    assert (entry.people, entry.rows) == count
    assert entry.first >= date(2018, 1, 1)
    assert entry.last <= date(2019, 12, 31)
    assert excluded.absent == (999999,)
    assert glucose.need.name == "glucose"
    assert 0.9 < glucose.filled / glucose.rows < 1
    assert glucose.broken == (f"concept_plausibleunitconceptids_measurement_measurement_concept_id_{h.GLUCOSE}",)
    assert entry.broken == ()
