"""`ansim deid` on tables of any form: plan, run, risk and text, and what the gate stops."""

import datetime as dt
import json
import random
import stat
import sys
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.errors import Problem, Problems
from ansim.privacy.deid import keys, tables, tables_run

sys.path.insert(0, str(Path(__file__).parents[1] / "privacy"))
import notes_world

SECRET = b"project secret of thirty-two byt"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A register, visits and notes of 300 drawn people, as CSV."""
    folder = tmp_path_factory.mktemp("data") / "hospital"
    folder.mkdir()
    rng, con = random.Random(3), duckdb.connect()
    con.execute("CREATE TABLE notes (patient_id VARCHAR, note VARCHAR)")
    notes = [(f"P{1 + n % 300:05}", notes_world.note(rng, 200)[0].replace("\n", " ")) for n in range(320)]
    con.executemany("INSERT INTO notes VALUES (?, ?)", notes)
    con.execute(
        f"""CREATE TABLE patients AS SELECT 'P' || lpad(i::VARCHAR, 5, '0') AS patient_id, '홍길' || i AS name,
            '010-1234-' || lpad(i::VARCHAR, 4, '0') AS contact, 20 + i % 60 AS age,
            CASE WHEN i % 2 = 0 THEN 'F' ELSE 'M' END AS sex, 'r' || i % 4 AS region, i * 7 % 50 AS score,
            CASE WHEN i < 3 THEN 'rare' ELSE 'type ' || i % 3 END AS type, (8001011234560 + i)::BIGINT AS code
            FROM range(1, 301) t(i);
        CREATE TABLE visits AS SELECT n AS visit_id, 'P' || lpad((1 + n % 300)::VARCHAR, 5, '0') AS patient_id,
            DATE '2020-01-01' + (n % 700)::INT AS visit_date, n % 90 AS value FROM range(1000) t(n);
        COPY patients TO '{folder}/patients.csv'; COPY visits TO '{folder}/visits.csv';
        COPY notes TO '{folder}/notes.csv'"""
    )
    return folder


def call(*arguments) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["deid", *map(str, arguments)])
    if isinstance(found.exception, Problem):
        raise found.exception
    return found.exit_code, found.output


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """(plan, extract folder, key file) by the commands themselves."""
    place = tmp_path_factory.mktemp("made")
    code, _ = call("plan", data, "--output", place / "plan.json")
    assert code == 0
    code, output = call(
        "run", place / "plan.json", data, "--output", place / "out", "--key", place / "k" / "project.key"
    )
    assert (code, "k = " in output) == (0, True)
    return json.loads((place / "plan.json").read_text("utf-8")), place / "out", place / "k" / "project.key"


def test_the_draft_is_careful(made):
    plan = made[0]
    actions = {name: rule["action"] for name, rule in plan["tables"]["patients"]["columns"].items()}
    assert actions.pop("patient_id") == "pseudonymise"
    assert {name for name, action in actions.items() if action == "drop"} == {"name", "contact", "code"}
    assert {name for name, action in actions.items() if action == "generalise"} == {"age", "sex", "region"}
    assert {name for name, action in actions.items() if action == "keep"} == {"score", "type"}
    assert plan["tables"]["visits"]["columns"]["visit_date"]["action"] == "shift"
    assert plan["tables"]["visits"]["columns"]["visit_id"]["action"] == "serial"
    assert plan["tables"]["notes"]["columns"]["note"]["action"] == "redact"
    assert plan["quasi"]["table"] == "patients"


def test_what_is_written(made, data):
    plan, folder, key = made
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    con = duckdb.connect()
    columns = [name for name, *_ in con.execute(f"DESCRIBE FROM '{folder}/patients.parquet'").fetchall()]
    assert columns == ["age", "patient_id", "region", "score", "sex", "type"]
    ids = [f"P{i:05}" for i in range(1, 301)]
    token = dict(zip(ids, keys.pseudonyms(key.read_bytes(), ids), strict=True))
    shift = dict(zip(ids, keys.date_shifts(key.read_bytes(), ids), strict=True))
    rows = con.execute(f"SELECT patient_id, visit_date FROM '{folder}/visits.parquet'").fetchall()
    expected = con.execute(f"SELECT patient_id, visit_date FROM '{data}/visits.csv'").fetchall()
    kept = {person for (person,) in con.execute(f"SELECT patient_id FROM '{folder}/patients.parquet'").fetchall()}
    moved = [(token[p], day + dt.timedelta(days=shift[p])) for p, day in expected if token[p] in kept]
    assert sorted(rows) == sorted(moved)
    types = dict(con.execute(f"SELECT type, count(*) FROM '{folder}/patients.parquet' GROUP BY 1").fetchall())
    assert "rare" not in types
    notes = " ".join(note for (note,) in con.execute(f"SELECT note FROM '{folder}/notes.parquet'").fetchall())
    assert "[resident-number]" in notes
    assert "[name]" in notes
    again = tables_run.run(tables.open_data(data), plan, lambda i: keys.pseudonyms(SECRET, i),
                           lambda i: keys.date_shifts(SECRET, i), folder.with_name("other"))  # fmt: skip
    assert again["people"] == len(kept)
    other = {
        p for (p,) in con.execute(f"SELECT patient_id FROM '{folder.with_name('other')}/patients.parquet'").fetchall()
    }
    assert not kept & other  # another project's secret: nothing joins


@pytest.mark.parametrize(
    ("table", "column", "rule", "code"),
    [
        ("patients", "contact", {"action": "keep", "type": "VARCHAR", "min_people": 1}, "direct-identifier"),
        ("patients", "code", {"action": "keep", "type": "BIGINT"}, "direct-identifier"),
        ("patients", "name", {"action": "keep", "type": "VARCHAR"}, "wrong-type"),
        ("notes", "note", {"action": "keep", "type": "VARCHAR", "min_people": 1}, "direct-identifier"),
        ("patients", "patient_id", {"action": "keep", "type": "VARCHAR", "min_people": 1}, "original-id"),
    ],
)
def test_the_gate_stops_a_careless_plan(made, data, tmp_path, table, column, rule, code):
    plan = json.loads(json.dumps(made[0]))
    plan["tables"][table]["columns"][column] = rule
    if column == "patient_id":  # the register keeps its tokens; the ids stand in another table
        plan["tables"]["patients"]["columns"][column] = made[0]["tables"]["patients"]["columns"][column]
        plan["tables"]["visits"]["columns"][column] = rule
    with pytest.raises(Problems) as caught:
        tables_run.run(tables.open_data(data), plan, lambda i: keys.pseudonyms(SECRET, i),
                       lambda i: keys.date_shifts(SECRET, i), tmp_path / "out")  # fmt: skip
    assert code in {problem.code for problem in caught.value.problems}
    assert not list(tmp_path.iterdir())


def test_noise_bounds_and_other_actions(made, data, tmp_path):
    plan = json.loads(json.dumps(made[0]))
    rules = plan["tables"]["patients"]["columns"]
    rules["score"] = {"action": "perturb", "within": 3, "type": "DOUBLE"}
    plan["tables"]["visits"]["columns"]["value"] = {"action": "top-code", "top": 40, "type": "BIGINT"}
    out = tmp_path / "out"
    tables_run.run(tables.open_data(data), plan, lambda i: keys.pseudonyms(SECRET, i),
                   lambda i: keys.date_shifts(SECRET, i), out)  # fmt: skip
    con = duckdb.connect()
    token = keys.pseudonyms(SECRET, [f"P{i:05}" for i in range(1, 301)])
    score = {t: i * 7 % 50 for i, t in enumerate(token, 1)}
    noise = [v - score[p] for p, v in con.execute(f"SELECT patient_id, score FROM '{out}/patients.parquet'").fetchall()]
    assert set(noise) == {-3, -2, -1, 0, 1, 2, 3}
    assert con.execute(f"SELECT max(value) FROM '{out}/visits.parquet'").fetchall() == [(40,)]


def test_other_data_and_unknown_columns_are_refused(made, data, tmp_path):
    changed = tmp_path / "hospital"
    changed.mkdir()
    for file in data.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    with (changed / "visits.csv").open("a") as stream:
        stream.write("1001,P00001,2020-01-01,5\n")
    (tmp_path / "plan.json").write_text(json.dumps(made[0]), "utf-8")
    with pytest.raises(Problem, match="other data"):
        call("run", tmp_path / "plan.json", changed, "--output", tmp_path / "out", "--key", tmp_path / "key")
    plan = json.loads(json.dumps(made[0]))
    plan["tables"]["visits"]["columns"]["height"] = {"action": "keep", "type": "BIGINT"}
    with pytest.raises(Problem, match="do not have"):
        tables_run.run(tables.open_data(data), plan, list, list, tmp_path / "out")


def test_risk_says_whether_the_policy_is_met(data):
    code, output = call(
        "risk", data / "patients.csv", "--quasi", "sex,region", "--sensitive", "type", "--k", 5, "--json"
    )
    report = json.loads(output)
    assert (code, report["k"], report["l"]["type"]) == (0, 75, 3)
    code, output = call("risk", data / "patients.csv", "--quasi", "age,sex,region,score", "--k", 2)
    assert code == 1
    assert "Not met" in output


def test_text_is_cleaned_and_counted(tmp_path):
    (tmp_path / "note.txt").write_text("환자 김민준님 010-1234-5678, 고혈압", "utf-8")
    code, output = call("text", tmp_path / "note.txt")
    assert code == 0
    assert "환자 [name]님 [phone], 고혈압" in output
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Problem, match="UTF-8"):
        call("text", tmp_path / "bad.txt")
