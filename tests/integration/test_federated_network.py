"""Federated runs over real sites: one refuses, one is killed mid-way; the rest is answered and nothing is lost."""

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from sites_running import Sites

from ansim.research.analysis import methods
from ansim.research.cohort.compile import frame
from ansim.research.cohort.query import parse

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.soak]
SPEC = {
    "ansim": "model/1",
    "kind": "logistic",
    "outcome": "ill",
    "terms": [{"variable": "age", "scale": [50, 10]}, {"variable": "sex", "levels": ["F", "M"]}, {"variable": "drug0"}],
}


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    made = Sites(tmp_path_factory.mktemp("nation"), 4, 300)
    toml = made.nation.site(made.holders[3]) / "site.toml"
    toml.write_text(toml.read_text() + "\n[options.federated]\npeople = 100000\n")  # it has fewer: it refuses all
    made.start()
    yield made
    made.stop()


def pooled(sites, holders):
    import duckdb

    frames = []
    for holder in holders:
        with duckdb.connect(str(sites.nation.site(holder) / "cdm.duckdb"), read_only=True) as con:
            frames.append(frame(con, parse(sites.terms["query"])))
    return methods.run("logistic", frames, SPEC)


def coefficients(sites, data):
    import json

    folder = sites.nation.site("centre-1")
    [file] = folder.glob(f"**/{data['output']}/result.json")
    return [term["coefficient"] for term in json.loads(file.read_text())["model"]["terms"]]


def test_the_rest_goes_on_masked_without_the_one_that_refuses(sites):
    assert sites.run("logistic", SPEC)["status"] == "failed"  # a part was not said to do
    data = sites.run("logistic", SPEC, partial=True)
    assert (data["status"], data["left_out"], data["masked"]) == ("checking", [sites.holders[3]], True)
    expected = [term["coefficient"] for term in pooled(sites, sites.holders[:3])["terms"]]
    assert coefficients(sites, data) == pytest.approx(expected, abs=1e-9)
    left = sites.rows("centre-1", "SELECT count(*) FROM store_record WHERE kind = 'federated-sums'")
    assert left == [(0,)]


def test_a_holder_killed_mid_way_comes_back_and_the_run_ends(sites):
    holders = sites.holders[:3]
    run = sites.ask("logistic", SPEC, holders=holders)
    sites.running.kill(holders[1])
    time.sleep(1)
    assert sites.record(run).get("status", "running") == "running"
    sites.running.start(only=[holders[1]])
    until = time.monotonic() + 120
    while sites.record(run)["status"] in ("running", "finishing"):
        assert time.monotonic() < until
        time.sleep(0.1)
    data = sites.record(run)
    assert data["status"] == "checking", data
    expected = [term["coefficient"] for term in pooled(sites, holders)["terms"]]
    assert coefficients(sites, data) == pytest.approx(expected, abs=1e-9)
