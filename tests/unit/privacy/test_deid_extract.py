"""Extracts: what is in them, what is kept between the people's records, and what the gate stops."""

import datetime as dt
import sys
from pathlib import Path

import duckdb
import pytest

from ansim.errors import Problem, Problems
from ansim.privacy.deid import gate, keys, plan, run, special

sys.path.insert(0, str(Path(__file__).parent))
import deid_world as world


def tokens(ids):
    return keys.pseudonyms(world.SECRET, ids)


def shifts(ids):
    return keys.date_shifts(world.SECRET, ids)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(source connection, query, plan, folder, manifest) of one good extract."""
    con, query = world.cdm(), world.query()
    plan_ = plan.compile(query, run.cdm_tables(con), data_version="2026-11")
    folder = tmp_path_factory.mktemp("extract") / "out"
    manifest = run.extract(con, query, plan_, world.cohort(con), tokens, shifts, folder)
    return con, query, plan_, folder, manifest


def broken(made, tmp_path: Path, table: str, sql: str) -> Path:
    """A copy of the extract in which one table is what the SQL makes of {old}."""
    folder = tmp_path / "broken"
    folder.mkdir()
    for file in made[3].iterdir():
        if file.name != f"{table}.parquet":
            (folder / file.name).write_bytes(file.read_bytes())
    old = f"read_parquet('{made[3] / table}.parquet')"
    duckdb.connect().execute(f"COPY ({sql.format(old=old)}) TO '{folder / table}.parquet' (FORMAT parquet)")
    return folder


def refused(made, folder: Path, ids=None) -> set[str]:
    with pytest.raises(Problems) as caught:
        gate.gate(folder, made[2], ids)
    return {problem.code for problem in caught.value.problems}


def test_only_planned_tables_columns_people_concepts_and_days(made):
    con, _, plan_, folder, manifest = made
    assert {file.stem for file in folder.glob("*.parquet")} == set(manifest["tables"])
    assert "note" not in manifest["tables"]
    text = str(plan.output_columns(plan_))
    for column in ("source_value", "location", "stop_reason", "birth_datetime"):
        assert column not in text
    out = run.open_extract(folder)
    assert manifest["people"] == out.execute("SELECT count(*) FROM person").fetchall()[0][0]
    assert manifest["people"] + manifest["suppressed"] == len(world.cohort(con))
    concepts = out.execute("SELECT DISTINCT condition_concept_id FROM condition_occurrence").fetchall()
    assert {concept for (concept,) in concepts} == {world.SINUSITIS, world.CHRONIC}
    kept = con.execute(
        f"""SELECT count(*) FROM condition_occurrence WHERE condition_concept_id IN ({world.SINUSITIS}, {world.CHRONIC})
        AND condition_start_date BETWEEN '2012-03-20' AND '2014-06-30'
        AND person_id IN (SELECT unnest(?))""",
        [_people(made)],
    ).fetchall()[0][0]
    assert kept == manifest["tables"]["condition_occurrence"]["rows"]


def _people(made) -> list[int]:
    """Original ids of those who are in the extract."""
    there = {token for (token,) in run.open_extract(made[3]).execute("SELECT person_id FROM person").fetchall()}
    ids = [person for person, *_ in world.cohort(made[0])]
    return [person for person, token in zip(ids, tokens(ids), strict=True) if token in there]


def test_same_token_in_every_table_intervals_kept_and_every_date_moved(made):
    con, _, _, folder, _ = made
    people = _people(made)
    pairs = list(zip(people, tokens(people), shifts(people), strict=True))
    out = run.open_extract(folder)
    for table, date in (("condition_occurrence", "condition_start_date"), ("measurement", "measurement_date")):
        after: dict = {}
        for token, day in out.execute(f"SELECT person_id, {date} FROM {table}").fetchall():
            after.setdefault(token, set()).add(day)
        before: dict = {}
        for person, day in con.execute(f"SELECT person_id, {date} FROM {table}").fetchall():
            before.setdefault(person, set()).add(day)
        for person, token, shift in pairs:
            assert after[token] <= {day + dt.timedelta(days=shift) for day in before[person]}
            assert shift != 0
    gaps = out.execute("SELECT DISTINCT condition_end_date - condition_start_date FROM condition_occurrence").fetchall()
    assert gaps == [(7,)]


def test_serials_follow_the_tokens_and_tell_nothing_of_the_source(made):
    out = run.open_extract(made[3])
    rows = out.execute(
        "SELECT person_id, condition_start_date FROM condition_occurrence ORDER BY condition_occurrence_id"
    ).fetchall()
    assert rows == sorted(rows)
    ids = out.execute("SELECT condition_occurrence_id FROM condition_occurrence").fetchall()
    assert sorted(number for (number,) in ids) == list(range(1, len(ids) + 1))


def test_age_bands_on_the_extract_are_those_on_the_data(made):
    con, _, _, folder, manifest = made
    assert manifest["age_width"] == 10
    age = "date_sub('year', make_date(year_of_birth, month_of_birth, day_of_birth), start_date) // 10"
    con.execute(
        """CREATE OR REPLACE TEMP TABLE first_entry AS SELECT person_id, min(condition_start_date) AS start_date
        FROM condition_occurrence WHERE condition_start_date >= '2012-03-20' AND condition_concept_id = 40481087
        GROUP BY person_id"""
    )
    bands = dict(con.execute(f"SELECT person_id, {age} FROM person JOIN first_entry USING (person_id)").fetchall())
    out = run.open_extract(folder)
    found = dict(out.execute(f"SELECT person_id, {age} FROM person JOIN cohort USING (person_id)").fetchall())
    people = _people(made)
    assert {token: bands[person] for person, token in zip(people, tokens(people), strict=True)} == found
    youngest = run.open_extract(folder).execute("SELECT min(age) FROM cohort").fetchall()[0][0]
    assert youngest >= 18  # or the cohort's own criterion would lose people on the extract


def test_the_researchers_frame_is_the_same_on_the_extract(made):
    """The one question travels unchanged: the frame on the extract equals the frame on the data, person by person."""
    cohorts = pytest.importorskip("ansim.research.cohort.compile")
    reading = pytest.importorskip("ansim.research.cohort.reading")
    con, query, plan_, folder, _ = made
    whole = cohorts.frame(con, reading.query(query)).to_pylist()
    people = _people(made)
    token = dict(zip(people, tokens(people), strict=True))
    expected = {token[row["person_id"]]: {**row, "person_id": token[row["person_id"]]} for row in whole
                if row["person_id"] in token}  # fmt: skip
    there = cohorts.frame(run.open_extract(folder), reading.query(plan.extract_query(query, plan_))).to_pylist()
    assert {row["person_id"]: row for row in there} == expected
    assert len(there) == len(people) > 100


def test_a_good_extract_passes_and_a_changed_file_is_noticed(made, tmp_path):
    _, _, plan_, folder, manifest = made
    assert gate.gate(folder, plan_)["k"] == manifest["k"] >= 5
    other = broken(made, tmp_path, "person", "SELECT * FROM {old} LIMIT 10")
    with pytest.raises(Problem) as caught:
        run.open_extract(other)
    assert caught.value.code == "file-changed"


@pytest.mark.parametrize(
    ("table", "sql", "code"),
    [
        ("person", "SELECT *, 'x' AS name FROM {old}", "unplanned"),
        ("person", "SELECT * EXCLUDE (gender_concept_id) FROM {old}", "unplanned"),
        ("measurement", "SELECT * REPLACE (value_as_number::VARCHAR AS value_as_number) FROM {old}", "wrong-type"),
        ("measurement", "SELECT * REPLACE (8001011234560 AS unit_concept_id) FROM {old}", "direct-identifier"),
        (
            "measurement",
            "SELECT * REPLACE (8001011234560.0::DOUBLE AS value_as_number) FROM {old}",
            "direct-identifier",
        ),
        ("concept", "SELECT * REPLACE ('환자 800101-1234567' AS concept_name) FROM {old}", "direct-identifier"),
        ("concept", "SELECT * REPLACE ('tel 010-1234-5678' AS concept_name) FROM {old}", "direct-identifier"),
        ("concept", "SELECT * REPLACE ('hong@example.org' AS concept_name) FROM {old}", "direct-identifier"),
        ("person", "SELECT * REPLACE (row_number() OVER () || '' AS person_id) FROM {old}", "not-a-token"),
        ("condition_occurrence", "SELECT * REPLACE (md5('stranger') AS person_id) FROM {old}", "not-a-token"),
        ("cohort", "SELECT * REPLACE (row_number() OVER () AS age) FROM {old}", "k-too-low"),
        ("person", "SELECT * REPLACE (1 + row_number() OVER () % 28 AS day_of_birth) FROM {old}", "k-too-low"),
    ],
)
def test_the_gate_refuses(made, tmp_path, table, sql, code):
    assert code in refused(made, broken(made, tmp_path, table, sql))


def test_the_gate_refuses_an_unplanned_file_and_original_ids(made, tmp_path):
    folder = broken(made, tmp_path, "person", "SELECT * FROM {old}")
    gate.gate(folder, made[2])  # the copy itself is good
    token = run.open_extract(made[3]).execute("SELECT person_id FROM person").fetchall()[0][0]
    assert refused(made, folder, [token]) == {"original-id"}
    (folder / "map.csv").write_text("1,2")
    assert refused(made, folder) == {"unplanned"}


def test_nothing_stays_when_the_gate_or_the_policy_refuses(tmp_path):
    con, query = world.cdm(60), world.query()
    strict = plan.compile(query, run.cdm_tables(con), data_version="1", policy={"k": 1000})
    with pytest.raises(Problem) as caught:
        run.extract(con, query, strict, world.cohort(con), tokens, shifts, tmp_path / "out")
    assert caught.value.code == "k-not-reached"
    assert list(tmp_path.iterdir()) == []
    assert not con.execute("SELECT * FROM duckdb_tables() WHERE table_name LIKE '_deid%'").fetchall()


def test_a_plan_serves_its_own_query_only(made, tmp_path):
    con, _, plan_, _, _ = made
    other = world.query(period={"from": "2000-01-01", "to": "2019-12-31"})
    with pytest.raises(Problem) as caught:
        run.extract(con, other, plan_, world.cohort(con), tokens, shifts, tmp_path / "out")
    assert caught.value.code == "other-query"


def test_the_key_process_must_answer_for_everyone(made, tmp_path):
    con, query, plan_, _, _ = made
    for bad in (lambda ids: tokens(ids)[1:], lambda ids: keys.pseudonyms(b"", ids)):
        with pytest.raises(Problem) as caught:
            run.extract(con, query, plan_, world.cohort(con), bad, shifts, tmp_path / "out")
        assert caught.value.code in {"keys-short", "no-secret"}
    with pytest.raises(Problem) as caught:
        run.extract(con, query, plan_, world.cohort(con), tokens, lambda ids: [0] * len(ids), tmp_path / "out")
    assert caught.value.code == "no-shift"


def test_widths_follow_what_the_query_asks():
    assert plan.age_widths(world.query()) == [10, 20, 40, 0]
    exact = world.query(variables=[{"name": "age", "kind": "age"}])
    assert plan.age_widths(exact)[0] == 1
    mixed = world.query(variables=[{"name": f"a{w}", "kind": "age_band", "width": w} for w in (10, 15)])
    assert plan.age_widths(mixed)[0] == 5


def condition_query(concept: int, **extra) -> dict:
    return world.query(variables=[{"name": "f", "kind": "flag", "event": "condition", "concepts": [concept], **extra}])


@pytest.mark.parametrize(
    ("concept", "category"),
    [(world.HIV, "aids"), (100001, "aids"), (100002, "mental-illness"), (world.CHRONIC, None)],
)
def test_special_categories_are_found_by_concept_descendant_and_mapping(concept, category):
    con = world.cdm(20)
    found = special.find(con, plan.scope(condition_query(concept)), special.load(), run.cdm_tables(con))
    assert [entry["category"] for entry in found["blocked"]] == ([category] if category else [])
    assert "rare-disease" in found["incomplete"]


def test_special_categories_are_found_in_source_codes():
    con = world.cdm(20)
    con.execute("UPDATE condition_occurrence SET condition_source_value = 'T74.1' WHERE person_id = 3")
    found = special.find(con, plan.scope(world.query()), special.load(), run.cdm_tables(con))
    assert [entry["category"] for entry in found["blocked"]] == ["abuse-abortion"]


def test_the_run_looks_for_special_categories_itself(tmp_path):
    con = world.cdm(100)
    blind = plan.compile(world.query(), run.cdm_tables(con), data_version="1")
    con.execute("UPDATE condition_occurrence SET condition_source_value = 'O04.9' WHERE person_id = 3")
    with pytest.raises(Problem) as caught:
        run.extract(con, world.query(), blind, world.cohort(con), tokens, shifts, tmp_path / "out")
    assert caught.value.code == "special-category"
    assert not list(tmp_path.iterdir())


def test_an_override_needs_four_fields_and_time(tmp_path):
    con, query, now = world.cdm(), condition_query(world.HIV), dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    tables = run.cdm_tables(con)
    found = special.find(con, plan.scope(query), special.load(), tables)
    full = {
        "category": "aids",
        "reason": "study",
        "protection_plan": "room",
        "approver": "DPO",
        "expires": "2026-12-31",
    }
    good = plan.compile(query, tables, data_version="1", special=found, overrides=[full])
    special.refuse(good, now)
    for field in special.OVERRIDE_FIELDS:
        less = plan.compile(query, tables, data_version="1", special=found, overrides=[{**full, field: ""}])
        with pytest.raises(Problem, match=field):
            special.refuse(less, now)
    for late in (dt.datetime(2027, 1, 1, tzinfo=dt.UTC), None):
        with pytest.raises(Problem) as caught:
            run.extract(con, query, good, world.cohort(con), tokens, shifts, tmp_path / "out", now=late)
        assert caught.value.code == "special-category"
    assert run.extract(con, query, good, world.cohort(con), tokens, shifts, tmp_path / "out", now=now)["people"] > 100
