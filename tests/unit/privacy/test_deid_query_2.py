"""Extracts of a query/2: what people were chosen by stays, their entry and the agreed variables leave."""

import sys
from pathlib import Path

import pytest

from ansim.errors import Problem
from ansim.privacy.deid import keys, plan, run, special
from ansim.research.cohort import compile as cohorts
from ansim.research.cohort.query import parse

sys.path.insert(0, str(Path(__file__).parent))
import deid_world as world


def cdm(people: int = 400):
    con = world.cdm(people)
    con.execute(
        """CREATE TABLE observation_period AS SELECT person_id, person_id AS observation_period_id,
            DATE '2012-01-01' AS observation_period_start_date, DATE '2016-12-31' AS observation_period_end_date
            FROM person;
        ALTER TABLE concept ADD COLUMN invalid_reason VARCHAR"""
    )
    return con


def query(concept: int = world.SINUSITIS, **changes) -> dict:
    members = [{"id": concept, "descendants": True}, {"id": world.HIV, "excluded": True}]
    cohort = {
        "sets": [{"name": "why", "concepts": members}, {"name": "warm", "concepts": [world.TEMPERATURE]}],
        "entry": {"events": [{"condition_occurrence": {"concepts": "why"}}], "limit": "first"},
        "rules": [{"name": "measured", "where": {"all": [{"of": {"measurement": {"concepts": "warm"}}}]}}],
        "end": {"after": "start", "days": 90},
    }
    variables = [each for each in world.query()["variables"] if each["name"] != "temperature"]
    return parse(world.query(ansim="query/2", cohort=cohort, variables=variables) | changes).document()


def made(con, asked: dict, folder: Path, made_plan: dict | None = None) -> dict:
    """The extract's manifest."""
    drawn = made_plan or plan.compile(asked, run.cdm_tables(con), data_version="1")
    entered = cohorts.cohort(con, parse(asked))
    return run.extract(
        con,
        asked,
        drawn,
        entered,
        lambda ids: keys.pseudonyms(world.SECRET, ids),
        lambda ids: keys.date_shifts(world.SECRET, ids),
        folder,
    )


def test_only_the_variables_events_leave_and_the_frame_is_the_same(tmp_path):
    con, asked = cdm(), query()
    manifest = made(con, asked, tmp_path / "out")
    assert "measurement" not in manifest["tables"]
    out = run.open_extract(tmp_path / "out")
    concepts = out.execute("SELECT DISTINCT condition_concept_id FROM condition_occurrence").fetchall()
    assert concepts == [(world.CHRONIC,)]  # the variable's; sinusitis brought people in and stays
    whole = cohorts.frame(con, parse(asked)).to_pylist()
    people = [row["person_id"] for row in whole]
    token = dict(zip(people, keys.pseudonyms(world.SECRET, people), strict=True))
    kept = {name for (name,) in out.execute("SELECT person_id FROM person").fetchall()}
    expected = {token[row["person_id"]]: row | {"person_id": token[row["person_id"]]} for row in whole
                if token[row["person_id"]] in kept}  # fmt: skip
    entered = out.table("cohort").to_arrow_table()
    frame = cohorts.frame_of(out, parse(plan.extract_query(asked, manifest)), entered).to_pylist()
    assert {row["person_id"]: row for row in frame} == expected
    assert len(frame) > 100
    assert any(row["chronic"] for row in frame)
    assert not all(row["chronic"] for row in frame)


@pytest.mark.parametrize(
    ("concept", "category"), [(world.HIV, "aids"), (100002, "mental-illness"), (world.SINUSITIS, None)]
)
def test_what_people_were_chosen_by_is_judged_though_it_stays(concept, category):
    """Being in a cohort of people with HIV tells of HIV; an excluded member of a set does not."""
    con, asked = cdm(20), query(concept)
    codes, tables = special.load(), run.cdm_tables(con)
    found = special.find(con, plan.scope(asked), codes, tables, plan.chosen_by(asked))
    assert [each["category"] for each in found["blocked"]] == ([category] if category else [])
    assert not special.find(con, plan.scope(asked), codes, tables)["blocked"]


def test_source_codes_of_what_people_were_chosen_by_are_judged_too():
    con = cdm(20)
    of = f"condition_concept_id = {world.SINUSITIS}"
    con.execute(f"UPDATE condition_occurrence SET condition_source_value = 'O04.9' WHERE {of}")
    found = special.find(con, plan.scope(query()), special.load(), run.cdm_tables(con), plan.chosen_by(query()))
    assert [each["category"] for each in found["blocked"]] == ["abuse-abortion"]


def test_the_run_judges_it_itself_and_takes_no_plan_without_it(tmp_path):
    con, asked = cdm(), query(world.HIV)
    con.execute(
        f"UPDATE condition_occurrence SET condition_concept_id = {world.HIV} WHERE condition_concept_id = 4112343"
    )
    drawn = plan.compile(asked, run.cdm_tables(con), data_version="1")
    with pytest.raises(Problem) as caught:
        made(con, asked, tmp_path / "out", drawn)
    assert caught.value.code == "special-category"
    for less in ({}, {"concepts": [], "descendants_of": []}):
        blind = {key: value for key, value in drawn.items() if key != "chosen_by"} | (
            {"chosen_by": less} if less else {}
        )
        with pytest.raises(Problem) as caught:
            made(con, asked, tmp_path / "out", blind)
        assert caught.value.code == "other-query"
    assert not list(tmp_path.iterdir())


def test_a_plan_of_a_query_1_is_what_it_was():
    assert "chosen_by" not in plan.compile(world.query(), run.cdm_tables(world.cdm(20)), data_version="1")
    with pytest.raises(Problem):
        plan.scope(query(ansim="query/2") | {"ansim": "query/3"})


@pytest.mark.parametrize("kind", ["query/1", "query/2"])
def test_follow_up_is_the_same_on_the_extract_though_observation_periods_stay(kind, tmp_path):
    con = cdm()
    con.execute("UPDATE observation_period SET observation_period_end_date = DATE '2013-01-01' + (person_id * 3)::INT")
    chronic = {"event": "condition", "concepts": [world.CHRONIC], "window": {"from_days": 1, "to_days": None}}
    pair = [
        {"name": f"{name}_{until}", "kind": name, **chronic, "until": until,
         "censor": [{"event": "measurement", "concepts": [world.TEMPERATURE]}] if until == "cohort" else []}
        for name in ("follow_up", "reached") for until in ("observation", "cohort")
    ]  # fmt: skip
    asked = query() if kind == "query/2" else parse(world.query()).document()
    asked = parse(asked | {"variables": [*asked["variables"], *pair]}).document()
    drawn = plan.compile(asked, run.cdm_tables(con), data_version="1")
    made(con, asked, tmp_path / "out", drawn)
    out = run.open_extract(tmp_path / "out")
    assert "observation_period" not in drawn["tables"]
    assert "measurement" in drawn["tables"]  # it may end the follow-up
    whole = cohorts.frame(con, parse(asked)).to_pylist()
    people = [row["person_id"] for row in whole]
    token = dict(zip(people, keys.pseudonyms(world.SECRET, people), strict=True))
    kept = {name for (name,) in out.execute("SELECT person_id FROM person").fetchall()}
    expected = {
        token[row["person_id"]]: row | {"person_id": token[row["person_id"]]}
        for row in whole if token[row["person_id"]] in kept
    }  # fmt: skip
    entered = out.table("cohort").to_arrow_table()
    frame = cohorts.frame_of(out, parse(plan.extract_query(asked, drawn)), entered).to_pylist()
    assert {row["person_id"]: row for row in frame} == expected
    assert {row["reached_observation"] for row in frame} >= {True, False}
    bare = cohorts.cohort(con, parse(asked)).drop_columns(["observed_until"])
    with pytest.raises(Problem) as caught:
        run.extract(con, asked, drawn, bare, token, dict.fromkeys(people, 1), tmp_path / "other")
    assert caught.value.code == "no-observation"
