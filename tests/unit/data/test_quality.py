"""Planted dirt is found, in the check that names it and nowhere else."""

from datetime import UTC, date, datetime

import pytest

from ansim.data.cdm import open_cdm
from ansim.data.quality import FAIL, NOT_APPLICABLE, assess, summary

NOW = datetime(2020, 1, 1, tzinfo=UTC)
FEMALE, MALE = 8532, 8507


def clean(small_cdm):
    cdm = small_cdm().people([(1, 1980, FEMALE), (2, 1950, MALE)])
    cdm.conditions([(1, 1, 40481087, date(2010, 1, 1)), (2, 2, 257012, date(2011, 1, 1))])
    cdm.con.execute("INSERT INTO observation_period VALUES (1, 1, '2010-01-01', '2012-01-01', 32817)")
    cdm.con.execute("INSERT INTO observation_period VALUES (2, 2, '2010-01-01', '2012-01-01', 32817)")
    return cdm


def failed(con):
    return {(check.id, check.table, check.field): check for check in assess(con, now=NOW) if check.verdict == FAIL}


def test_a_clean_cdm_fails_nothing(small_cdm):
    con = clean(small_cdm).con
    assert failed(con) == {}
    empty = [check for check in assess(con, now=NOW) if check.table == "measurement"]
    assert [check.verdict for check in empty] == [NOT_APPLICABLE]


DIRT = {
    ("is-required", "condition_occurrence", "condition_type_concept_id"):
        "UPDATE condition_occurrence SET condition_type_concept_id = NULL WHERE person_id = 1",
    ("is-primary-key", "condition_occurrence", "condition_occurrence_id"):
        "UPDATE condition_occurrence SET condition_occurrence_id = 1",
    ("is-foreign-key", "observation_period", "person_id"):
        "INSERT INTO observation_period VALUES (9, 99, '2010-01-01', '2012-01-01', 32817)",
    ("is-foreign-key", "condition_occurrence", "visit_occurrence_id"):
        "UPDATE condition_occurrence SET visit_occurrence_id = 12345 WHERE person_id = 1",
    ("is-foreign-key", "condition_occurrence", "condition_source_concept_id"):
        "UPDATE condition_occurrence SET condition_source_concept_id = 777 WHERE person_id = 1",
    ("is-mapped", "condition_occurrence", "condition_concept_id"):
        "UPDATE condition_occurrence SET condition_concept_id = 0 WHERE person_id = 1",
    ("concept-is-standard", "condition_occurrence", "condition_concept_id"):
        "UPDATE condition_occurrence SET condition_concept_id = 999001 WHERE person_id = 1",
    ("date-is-plausible", "condition_occurrence", "condition_start_date"):
        "UPDATE condition_occurrence SET condition_start_date = '2031-01-01' WHERE person_id = 1",
    ("start-before-end", "condition_occurrence", "condition_end_date"):
        "UPDATE condition_occurrence SET condition_end_date = '2009-12-31' WHERE person_id = 1",
    ("after-birth", "condition_occurrence", "condition_start_date"):
        "UPDATE condition_occurrence SET condition_start_date = '1980-05-16' WHERE person_id = 1",
    ("before-death", "condition_occurrence", "condition_start_date"):
        "INSERT INTO death (person_id, death_date, cause_concept_id, death_type_concept_id) "
        "VALUES (1, '2009-01-01', 40481087, 32817)",
    ("sex-is-plausible", "condition_occurrence", "condition_concept_id"):
        "UPDATE condition_occurrence SET condition_concept_id = 4299535 WHERE person_id = 2",
    ("birth-year-is-plausible", "person", "year_of_birth"):
        "INSERT INTO person (person_id, year_of_birth, gender_concept_id, race_concept_id, ethnicity_concept_id) "
        "VALUES (3, 2099, 8507, 0, 0); INSERT INTO observation_period VALUES (3, 3, '2010-01-01', '2012-01-01', 32817)",
    ("has-observation-period", "person", "person_id"):
        "DELETE FROM observation_period WHERE person_id = 2",
    ("sex-is-known", "person", "gender_concept_id"):
        "UPDATE person SET gender_concept_id = 0 WHERE person_id = 1",
}  # fmt: skip


@pytest.mark.parametrize("where", DIRT, ids=lambda where: f"{where[0]} {where[1]}")
def test_planted_dirt_is_found_where_it_is(small_cdm, where):
    con = clean(small_cdm).con
    for statement in DIRT[where].split("; "):
        con.execute(statement)
    found = failed(con)
    assert set(found) == {where}
    assert found[where].violated == 1


def test_zero_is_no_visit_but_a_concept(small_cdm):
    con = clean(small_cdm).con
    con.execute("UPDATE condition_occurrence SET visit_occurrence_id = 0, condition_source_concept_id = 0")
    assert failed(con) == {}


def test_the_known_dirt_of_gibleed_is_reported(nation):
    con = open_cdm(nation / "hospital-a" / "cdm.duckdb")
    found = failed(con)
    con.close()
    assert ("is-foreign-key", "condition_occurrence", "visit_occurrence_id") in found
    visits = found["is-foreign-key", "condition_occurrence", "visit_occurrence_id"]
    assert visits.violated / visits.denominator > 0.9


def test_the_summary_counts_checks_and_no_rows(small_cdm):
    cdm = clean(small_cdm)
    cdm.con.execute("UPDATE condition_occurrence SET condition_concept_id = 0")
    checks = assess(cdm.con, now=NOW)
    told = summary(checks)
    assert sum(sum(verdicts.values()) for verdicts in told["categories"].values()) == len(checks)
    assert {"check": "is-mapped", "table": "condition_occurrence", "field": "condition_concept_id"} in told["failed"]
    assert set(told["failed"][0]) == {"check", "table", "field"}
