"""The check table and a site's changes to it; what counts as nothing to look at, and what as an error."""

from datetime import UTC, datetime

import duckdb
import pytest

from ansim.data.cdm import create_tables, tables
from ansim.data.quality import (
    ERROR,
    FAIL,
    NOT_APPLICABLE,
    PASS,
    all_checks,
    assess,
    checks,
    read_site_table,
    summary,
    types,
)
from ansim.errors import Problem

NOW = datetime(2023, 6, 1, tzinfo=UTC)
BIRTHS = "field_plausiblevaluehigh_person_year_of_birth"


@pytest.fixture
def con():
    """A hundred people, two of them born in the future; no other row."""
    with duckdb.connect() as made:
        create_tables(made)
        made.execute(
            "INSERT INTO person BY NAME SELECT i AS person_id, 8507 AS gender_concept_id, "
            "CASE WHEN i <= 2 THEN 2090 ELSE 1980 END AS year_of_birth, 0 AS race_concept_id, "
            "0 AS ethnicity_concept_id FROM range(1, 101) t(i)"
        )
        yield made


def told(con, site=None) -> dict:
    return {one.id: one for one in assess(con, now=NOW, chosen=checks(site=site))}


def test_the_table_is_whole_and_names_what_the_model_has():
    assert len(all_checks()) == len({check.id for check in all_checks()}) == 2535
    assert {check.type for check in all_checks()} == set(types())
    assert len(types()) == 27
    for check in all_checks():
        known = tables()[check.table].names
        assert not check.field or check.field in known, check.id
    for kind in types().values():
        for text in (kind.title, kind.means, kind.mend):
            assert set(text) == {"ko", "en"}
            assert all(text.values())


def test_a_site_may_allow_more_and_say_why(con, tmp_path):
    assert told(con)[BIRTHS].verdict == FAIL
    path = tmp_path / "quality.toml"
    path.write_text(f'["{BIRTHS}"]\nthreshold = 2\nnote = "two test patients"\n', encoding="utf-8")
    one = told(con, read_site_table(path))[BIRTHS]
    assert (one.verdict, one.violated, one.denominator, one.check.note) == (PASS, 2, 100, "two test patients")
    assert type(one).from_data(one.as_data()) == one
    assert BIRTHS not in told(con, {BIRTHS: {"off": True}})


@pytest.mark.parametrize(
    "text", ['["x"]\nlimit = 1\n', "x = 1\n", '["x"]\nthreshold = true\n', '["x"]\nthreshold = -1\n', "[x\n"]
)
def test_a_wrong_table_says_where(tmp_path, text):
    path = tmp_path / "quality.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match=r"quality\.toml"):
        read_site_table(path)
    with pytest.raises(Problem, match="no quality check"):
        checks(site={"no_such_check": {"threshold": 1}})


def test_nothing_to_look_at_is_neither_good_nor_bad(con):
    found = told(con)
    reasons = {
        "field_isrequired_measurement_person_id": "Table MEASUREMENT is empty.",
        "field_isforeignkey_person_provider_id": "Field PERSON.PROVIDER_ID is not populated.",
        "field_fkdomain_condition_occurrence_condition_concept_id": "Table CONDITION_OCCURRENCE is empty.",
    }
    for id, reason in reasons.items():
        assert (found[id].verdict, found[id].reason) == (NOT_APPLICABLE, reason)
    assert found["field_measurevaluecompleteness_person_provider_id"].verdict == PASS  # empty is allowed, and is told
    assert found["table_measurepersoncompleteness_observation_period"].violated == 100


def test_what_cannot_be_looked_at_is_an_error_and_a_missing_table_is_not(con):
    con.execute(
        "INSERT INTO visit_occurrence (visit_occurrence_id, person_id, visit_start_date) VALUES (1, 1, '2020-01-01')"
    )
    con.execute("ALTER TABLE person DROP COLUMN birth_datetime; DROP TABLE note_nlp")
    found = told(con)
    one = found["field_plausibleafterbirth_visit_occurrence_visit_start_date"]
    assert one.verdict == ERROR
    assert "birth_datetime" in one.reason
    assert found["table_cdmtable_note_nlp"].verdict == FAIL
    assert found["field_cdmfield_note_nlp_note_id"].verdict == NOT_APPLICABLE
    assert found["field_cdmfield_person_birth_datetime"].verdict == FAIL


def test_the_summary_counts_checks_and_no_rows(con):
    results = assess(con, now=NOW)
    said = summary(results)
    assert sum(sum(verdicts.values()) for verdicts in said["categories"].values()) == len(results)
    assert {"check": "plausibleValueHigh", "table": "person", "field": "year_of_birth"} in said["failed"]
    assert set(said["failed"][0]) == {"check", "table", "field"}


def test_it_stops_when_told(con):
    with pytest.raises(Problem, match="Stopped"):
        assess(con, now=NOW, stopped=lambda: True)
