"""`ansim sandbox run`: the three languages, the exit codes, the limits, and nothing without isolation."""

import shutil
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from ansim.cli import sandbox as command
from ansim.cli.main import app
from ansim.sites.centre.sandbox.languages import RSCRIPT

PYTHON = "import pandas as pd\npeople = pd.read_parquet('/data/people.parquet')\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "data" / "visits").mkdir(parents=True)
    pd.DataFrame({"sex": ["F", "M", "F"], "age": [40, 50, 60]}).to_parquet(tmp_path / "data" / "people.parquet")
    (tmp_path / "data" / "visits" / "a.csv").write_text("person,days\n1,3\n2,4\n")

    def go(name, source, *more):
        (tmp_path / name).write_text(source)
        words = [str(tmp_path / name), "--data", str(tmp_path / "data"), "--output", str(tmp_path / "out"), *more]
        return CliRunner().invoke(app, ["sandbox", "run", *words])

    return go


def test_python_reads_data_and_leaves_files(run, tmp_path):
    source = PYTHON + "people.groupby('sex').age.mean().to_csv('/out/age.csv'); print(len(people))"
    found = run("mean.py", source, "--packages", "pandas,pyarrow")
    assert found.exit_code == 0, found.output
    assert found.stdout == "3\n"
    assert pd.read_csv(tmp_path / "out" / "age.csv").age.tolist() == [50.0, 50.0]


def test_sql_sees_each_file_as_a_view(run, tmp_path):
    source = (
        "SELECT sex, count(*) AS n FROM people GROUP BY ALL ORDER BY sex;\n"
        "COPY (SELECT sum(days) AS days FROM \"visits/a\") TO '/out/days.csv';"
    )
    found = run("count.sql", source, "--packages", "duckdb")
    assert found.exit_code == 0, found.output
    assert "│ F" in found.stdout
    assert (tmp_path / "out" / "days.csv").read_text() == "days\n7\n"
    shutil.rmtree(tmp_path / "out")
    wrong = run("wrong.sql", "SELECT * FROM nowhere", "--packages", "duckdb")
    assert wrong.exit_code == 1
    assert "nowhere" in wrong.stderr
    shutil.rmtree(tmp_path / "out")
    lacking = run("count.sql", source, "--packages", "pandas")
    assert lacking.exit_code == command.NOT_ISOLATED
    assert "Name duckdb among the packages" in lacking.stderr


@pytest.mark.skipif(not shutil.which(RSCRIPT), reason="R is not installed")
def test_r_runs_and_has_no_network(run, tmp_path):
    source = (
        "x <- read.csv('/data/visits/a.csv')\n"
        "write.csv(data.frame(m = mean(x$days)), '/out/m.csv', row.names = FALSE)\n"
        "r <- try(suppressWarnings(socketConnection('127.0.0.1', 80, timeout = 1)), silent = TRUE)\n"
        "cat(inherits(r, 'try-error'))\n"
    )
    found = run("mean.R", source, "--packages", "none")
    assert found.exit_code == 0, found.output
    assert found.stdout == "TRUE"
    assert pd.read_csv(tmp_path / "out" / "m.csv").m.tolist() == [3.5]


def test_exit_codes_say_what_happened(run, tmp_path):
    for source, code, more in (
        ("raise SystemExit(7)", 7, ()),
        ("while True: pass", 124, ("--seconds", "0.7")),
        ("import os; os.symlink('/data', '/out/link')", command.REFUSED, ()),
        ("bytearray(600 << 20)", 1, ("--memory", "256M")),
    ):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        found = run("a.py", source, "--packages", "none", *more)
        assert found.exit_code == code, (source, found.output)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    flood = run("a.py", "print('x' * 10_000_000)", "--packages", "none")
    assert flood.exit_code == 0
    assert len(flood.stdout) == 64 * 1024
    assert "cut off" in flood.stderr


def test_nothing_runs_where_it_cannot_be_isolated(run, tmp_path, monkeypatch):
    module = sys.modules["ansim.sites.centre.sandbox.run"]
    module.bwrap_version.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "which", lambda *_, **__: None)
        found = run("a.py", "open('/out/ran', 'w')", "--packages", "none")
    assert found.exit_code == command.NOT_ISOLATED
    assert "apt install bubblewrap" in found.stderr
    assert "ansim doctor" in found.stderr
    assert not (tmp_path / "out").exists()
    assert run("a.py", "open('/out/ran', 'w')", "--packages", "none").exit_code == 0  # control: the same runs otherwise


def test_wrong_words_are_named(run, tmp_path):
    assert "neither Python" in run("a.jl", "1").stderr
    assert "no size" in run("a.py", "1", "--memory", "much").stderr
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "old.csv").write_text("kept")
    assert run("a.py", "1", "--packages", "none").exit_code == command.NOT_ISOLATED
    assert (tmp_path / "out" / "old.csv").read_text() == "kept"
