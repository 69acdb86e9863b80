"""The whole journey on a nation of real processes: every promise must hold; and before its agreement ends, every page
that people reach on the way is looked at in a browser, in Korean and in English."""

import contextlib
import os
import re
import socket

import duckdb
import pytest
from crawl import walk
from helpers import browser

from ansim.demo import start
from ansim.demo.journey.run import play
from ansim.demo.journey.stages import STAGES
from ansim.demo.nation import PLACES, Nation
from ansim.demo.processes import Running

pytestmark = [pytest.mark.slow, pytest.mark.network]
SCALE = float(os.environ.get("ANSIM_SCALE", "0.5"))
BEFORE_THE_END = 12
# One person for each group of pages; a site's start page leads to all that the person may see.
WALKERS = [
    ("hub", None), ("hub", "researcher"), ("hub", "coordinator"), ("company-x", "researcher"), ("company-x", "legal"),
    ("hospital-b", "steward-b"), ("hospital-b", "operator-b"), ("hospital-b", "secretary-b"), ("hospital-b", "legal-b"),
    ("hospital-b", "auditor-b"), ("centre-1", "room"), ("centre-1", "checker1"), ("centre-1", "researcher"),
    ("keyagency-1", "keys"),
]  # fmt: skip


def free_ports(count: int) -> int:
    """The first of `count` ports in a row on which nobody listens."""
    for first in range(21_000, 29_000, 20):
        with contextlib.ExitStack() as probes:
            try:
                for number in range(count):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", first + number))
                return first
            except OSError:
                continue
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A nation of its own, up, and stopped again whatever happens."""
    made = Nation(tmp_path_factory.mktemp("journey") / "nation", port=free_ports(len(PLACES)))
    running = Running(made)
    try:
        start.bring_up(made, running, SCALE, lambda text: None)
        yield running
    finally:
        running.stop()


def played(running: Running, report, first: int, last: int) -> None:
    nation = running.nation
    stages = play(nation.folder, port=nation.port, scale=SCALE, report=report, stages=(first, last), running=running)
    broken = [
        f"{stage.number} {each.text}: {each.detail}" for stage in stages for each in stage.promises if not each.held
    ]
    assert not broken, "\n".join(broken)
    assert [stage.en for stage in stages] == [stage.en for stage in STAGES if first <= stage.number <= last]
    assert all(stage.promises for stage in stages)
    text = report.read_text("utf-8")
    assert all(stage.ko in text and stage.en in text for stage in stages)
    assert "<script" not in text
    assert 'src="http' not in text


def test_from_the_idea_to_the_released_result(running, tmp_path):
    played(running, tmp_path / "journey.html", 1, BEFORE_THE_END)
    assert "<svg" in (tmp_path / "journey.html").read_text("utf-8")


@pytest.mark.browser
def test_every_page_on_the_way_is_fit_to_be_seen(running):
    faults = []
    made = running.nation
    with browser() as opened:
        for site, person in WALKERS:
            known = (person, made.sign_ins[site][person]) if person else None
            for language in ("ko", "en"):
                faults += walk(opened, made.url(site), known, language, label=f"{site}-{person}-")
    assert not faults, "\n\n".join(faults)


def test_the_end_of_the_agreement_and_the_proof(running, tmp_path):
    played(running, tmp_path / "journey.html", BEFORE_THE_END + 1, 99)


def _identifiers(nation: Nation) -> set[bytes]:
    """Each resident number and phone number that any hospital's register holds, as programs would write them."""
    found: set[str] = set()
    for file in nation.folder.rglob("identity.duckdb"):
        with duckdb.connect(str(file), read_only=True) as register:
            for row in register.execute("SELECT resident_number, phone FROM identity").fetchall():
                found.update(str(value) for value in row if value)
    return {form.encode() for text in found for form in (text, text.replace("-", ""))}


def _names(nation: Nation) -> set[str]:
    found: set[str] = set()
    for file in nation.folder.rglob("identity.duckdb"):
        with duckdb.connect(str(file), read_only=True) as register:
            found.update(name for (name,) in register.execute("SELECT DISTINCT name FROM identity").fetchall())
    return found


def _leaks(text: bytes, numbers: set[bytes], names: set[str]) -> list[str]:
    """The identifiers in a log. A number by its own shape, so that a log of any length is read once."""
    shaped = {match[0] for match in re.finditer(rb"\d[\d-]{9,13}\d", text)}
    said = text.decode("utf-8", "replace")
    words = set(re.findall(r"[가-힣]{2,4}", said))
    return sorted({each.decode() for each in shaped & numbers} | (words & names))


def test_no_log_of_the_whole_journey_names_anybody(running):
    """Every log of every site, after all that the journey did, and a log in which somebody is named."""
    nation = running.nation
    numbers, names = _identifiers(nation), _names(nation)
    assert len(numbers) > 1000
    logs = sorted((nation.folder / "logs").glob("*.log"))
    assert len(logs) >= len(PLACES)
    assert {file.name: found for file in logs if (found := _leaks(file.read_bytes(), numbers, names))} == {}
    number, name = sorted(numbers)[7], sorted(names)[7]
    planted = logs[0].read_bytes() + b' "text": "no row for ' + number + b'" ' + name.encode() + b" "
    assert _leaks(planted, numbers, names) == sorted({number.decode(), name})
