"""Two extracts of the same people become one data set under new tokens, and its risk is assessed again."""

import sys
from pathlib import Path

import duckdb
import pytest

from ansim.errors import Problem
from ansim.privacy.deid import keys, plan, run
from ansim.privacy.linkage import join

sys.path.insert(0, str(Path(__file__).parent))
import deid_world as world

SECRETS = {"a": b"a" * 32, "b": b"b" * 32}


def test_two_extracts_join_under_new_tokens_and_are_assessed_again(tmp_path):
    query, serials, folders = world.query(), {}, {}
    for name, secret in SECRETS.items():
        con = world.cdm(300 if name == "a" else 200)
        plan_ = plan.compile(query, run.cdm_tables(con), data_version=name)
        folders[name] = tmp_path / name
        run.extract(
            con, query, plan_, world.cohort(con), lambda ids, s=secret: keys.pseudonyms(s, ids),
            lambda ids, s=secret: keys.date_shifts(s, ids), folders[name],
        )  # fmt: skip
        ids = [person for person, *_ in world.cohort(con)]
        serials[name] = [
            {"serial": serial, "pseudonym": token}
            for serial, token in zip(keys.serials(secret, ids), keys.pseudonyms(secret, ids), strict=True)
        ]
    both = [person for person, *_ in world.cohort(world.cdm(200))]
    pairs = zip(*(keys.serials(SECRETS[name], both) for name in "ab"), strict=True)
    ids = join.linked_ids(join.pairs_as_groups("a", "b", pairs), serials)
    con = duckdb.connect()
    outcome = join.linked(con, folders, ids)
    assert outcome["people"] == len(both)
    assert outcome["tables"]["person"] <= len(both)
    in_both = "SELECT count(*) FROM (SELECT person_id FROM cohort GROUP BY 1 HAVING count(DISTINCT institution) = 2)"
    assert con.execute(in_both).fetchall()[0][0] > 100
    left = run.open_extract(folders["a"]).execute("SELECT person_id FROM person").fetchall()
    tokens = {token for (token,) in con.execute("SELECT person_id FROM person").fetchall()}
    assert not tokens & {token for (token,) in left}  # cannot be joined back to the institution's own extract
    assert not con.execute("SELECT * FROM duckdb_tables() WHERE table_name LIKE '_link%'").fetchall()
    concepts = con.execute("SELECT concept_id FROM concept").fetchall()
    assert len(concepts) == len(set(concepts))  # vocabulary stands once
    wanted = {"person": ["gender_concept_id"], "cohort": ["age"]}
    apart = [join.risk_after(con, wanted, {"k": 5})]
    finer = join.risk_after(con, {**wanted, "cohort": ["age", "start_date"]}, {"k": 5})
    assert apart[0]["people"] == outcome["tables"]["person"]
    assert len(apart[0]["quasi_identifiers"]) == 4
    assert not finer["met"]
    assert finer["k"] <= apart[0]["k"]


def test_a_changed_extract_is_not_joined(tmp_path):
    con, query = world.cdm(200), world.query()
    plan_ = plan.compile(query, run.cdm_tables(con), data_version="1")
    secret = SECRETS["a"]
    run.extract(
        con, query, plan_, world.cohort(con), lambda ids: keys.pseudonyms(secret, ids),
        lambda ids: keys.date_shifts(secret, ids), tmp_path / "a",
    )  # fmt: skip
    (tmp_path / "a" / "person.parquet").write_bytes(b"other")
    with pytest.raises(Problem) as caught:
        join.linked(duckdb.connect(), {"a": tmp_path / "a"}, join.linked_ids([], {}))
    assert caught.value.code == "file-changed"
