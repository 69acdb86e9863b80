"""Power cuts: processes are killed at random moments while messages flow; each act still has exactly one effect."""

import contextlib
import os
import random
import subprocess
import sys
import time

import httpx
import pytest
from network import SITES, Network

pytestmark = [pytest.mark.network, pytest.mark.slow]
KILLS = int(os.environ.get("ANSIM_KILLS", "20"))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    made = Network(tmp_path_factory.mktemp("nation"))
    made.start()
    yield made
    made.stop()


def ask(person, number: int) -> str:
    """A harmless act that travels: a request to a hospital, its public part to the hub."""
    query = {
        "ansim": "query/1",
        "title": {"ko": "시험", "en": "Trial"},
        "cohort": {"entry": {"event": "condition", "concepts": [40481087], "which": "first"}},
        "variables": [{"name": "sex", "kind": "sex"}],
        "period": {"from": "1900-01-01", "to": "2019-12-31"},
    }
    about = {"ko": f"요청 {number}", "en": f"Request {number}"}
    told = {"title": about, "areas": ["respiratory"], "purpose": "scientific-research", "text": "crash trial"}
    return person.post("/requests/new/", **told, query=query, holders=["hospital-a"])["id"]


def opened(network, site: str) -> dict[str, int]:
    """request → how often its opening stands on the site's ledger."""
    kind = {"hub": "request.opened", "company-x": "request.opened"}[site]
    rows = network.rows(site, "SELECT stream, count(*) FROM ledger_event WHERE type = ? GROUP BY stream", kind)
    return {stream.partition(":")[2]: count for stream, count in rows}


def reviews(network) -> dict[str, int]:
    first = "SELECT stream, count(*) FROM ledger_event WHERE version = 1 AND stream LIKE 'review:%' GROUP BY stream"
    rows = network.rows("hospital-a", first)
    return {stream.partition(":")[2]: count for stream, count in rows}


def test_killed_at_random_nothing_is_lost_and_nothing_happens_twice(network, record_property):
    chance, done, tries = random.Random(20261124), [], 0
    for _kill in range(KILLS):
        victim = chance.choice(SITES)
        person = network.person("company-x", "researcher")
        moment = time.monotonic() + chance.uniform(0.0, 0.6)
        while time.monotonic() < moment:
            tries += 1
            with contextlib.suppress(httpx.HTTPError):
                done.append(ask(person, tries))
        network.running.kill(victim)
        with contextlib.suppress(httpx.HTTPError):
            done.append(ask(person, tries))
        network.start(victim)
    record_property("kills", KILLS)
    record_property("acts", len(done))
    at_desk = opened(network, "company-x")
    assert set(done) <= set(at_desk)  # what was answered is kept; an act whose answer was cut off may stand too
    network.until(lambda: set(at_desk) <= set(opened(network, "hub")), 60)
    network.until(lambda: set(at_desk) <= set(reviews(network)), 60)
    network.until(lambda: all(network.health(site)["waiting"] == 0 for site in SITES), 60)
    for site in ("company-x", "hub"):
        assert set(opened(network, site).values()) == {1}
    assert set(opened(network, "hub")) == set(reviews(network)) == set(at_desk)
    assert set(reviews(network).values()) == {1}
    assert all(network.health(site)["dead"] == 0 for site in SITES)
    for site in SITES:
        failed = (
            "SELECT type, data FROM ledger_event WHERE type IN ('message.refused', 'message.failed', 'message.unsent')"
        )
        assert network.rows(site, failed) == []
        assert (
            network.rows(site, "SELECT count(*), max(seq) + 1 FROM ledger_event")[0][0]
            == (network.rows(site, "SELECT size FROM store_ledgerhead")[0][0])
        )


def test_a_second_copy_of_a_site_refuses_to_start(network):
    environment = {**os.environ, "ANSIM_PASSPHRASE_FILE": str(network.nation.passphrase_file("hospital-a"))}
    second = subprocess.run(
        [sys.executable, "-m", "ansim.cli.main", "serve", str(network.nation.site("hospital-a"))],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "runs already" in " ".join(second.stderr.split())
    assert network.health("hospital-a")["unfit"] == ""  # and the first keeps its key process


def test_a_killed_key_process_comes_back_and_nothing_is_refused_meanwhile(network):
    person = network.person("company-x", "researcher")
    lock = network.nation.site("hospital-a") / "keeper.lock"
    before = int(lock.read_text())
    os.kill(before, 9)
    name = ask(person, 10_000)  # sealed: it needs the killed process
    network.until(lambda: name in reviews(network), 30)
    assert int(lock.read_text()) != before
    assert network.rows("hospital-a", "SELECT data FROM ledger_event WHERE type = 'message.refused'") == []


def test_a_clock_behind_the_ledger_stops_acts_clearly_and_loses_nothing(network):
    person, clock = network.person("company-x", "researcher"), network.nation.site("hospital-a") / "clock"
    clock.write_text("-250")  # within what other sites' envelopes allow
    try:
        network.until(lambda: network.health("hospital-a")["unfit"] == "clock-behind", 10)
        name = ask(person, 20_000)
        time.sleep(1)
        assert name not in reviews(network)
    finally:
        clock.write_text("0")
    network.until(lambda: name in reviews(network), 60)
