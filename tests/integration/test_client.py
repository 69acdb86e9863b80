"""ansim.client over running sites: a researcher's day from the first count to the application, and its results."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from network import Network

from ansim.client import Desk, Portal, Refused, Session

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "privacy"))
import deid_world

pytestmark = pytest.mark.network
PROTOCOL = b"%PDF-1.7\n%%EOF\n"


def test_results_are_asked_for_and_fetched(tmp_path: Path) -> None:
    life = Path(__file__).with_name("client_life.py")
    done = subprocess.run(
        [sys.executable, str(life), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.fixture
def network(tmp_path: Path):
    made = Network(tmp_path / "nation")
    made.start()
    yield made
    made.stop()


def test_from_the_first_count_to_the_application(network: Network, tmp_path: Path) -> None:
    def at(kind: type, site: str, name: str):
        return kind(network.nation.url(site), name, network.nation.sign_ins[site][name], language="en")

    query = deid_world.query()
    with at(Portal, "hub", "researcher") as portal:
        assert portal.search("sinusitis", people=1) == []  # nobody has published yet
        question = portal.ask(query, "how many fit", by=["sex"])
        found = question.wait(60, quorum=1, pause=0.2)
        assert found["hospital-a"]["status"] == "refused"  # it has no data: the same words as for too few
        assert found["hospital-c"]["status"] in {"waiting", "down"}  # it does not run
        question.cancel()
        assert question.answers()["hospital-c"]["status"] == "cancelled"
        assert portal.questions() == [question.id]
        with pytest.raises(Refused):
            portal.ask("cohort: [", "broken")
    with at(Desk, "company-x", "researcher") as desk:
        known = desk.choices()
        assert "hospital-a" in known["holders"]
        request = desk.request(
            title={"ko": "연구", "en": "Study"},
            areas=["respiratory"],
            purpose=known["purpose"][0],
            text="May we?",
            query=query,
            holders=["hospital-a"],
        )
        with at(Session, "hospital-a", "steward-a") as steward:
            network.until(lambda: request.id in str(steward.get("/reviews/")))
            steward.do(f"/reviews/{request.id}/reply/", answer="yes")
        assert request.replies(60, pause=0.2) == {"hospital-a": "yes"}
        assert desk.prescreen({"ansim": "application/1"})
        today = datetime.now(UTC).date()
        (tmp_path / "protocol.pdf").write_bytes(PROTOCOL)
        said = {"summary": {"ko": "요약", "en": "Summary"}, "modes": ["federated"], "centre": "centre-1"}
        said |= {"not_before": today, "not_after": today + timedelta(days=300), "max_persons": 1000}
        with pytest.raises(Refused) as refused:
            request.apply(tmp_path / "protocol.pdf", **said, people=["nobody@company-x"])
        assert "people" in refused.value.fields
        number = request.apply(tmp_path / "protocol.pdf", **said, people=["researcher@company-x"])
        assert request.look()["application"]["id"] == number
