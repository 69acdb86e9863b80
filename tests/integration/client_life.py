"""ansim.client at a desk with an agreement in force and a released result; run by test_client.py with a folder."""

import hashlib
import json
import sys
from pathlib import Path

import api_life
import back_rooms
import httpx
import pytest

from ansim.client import Desk, Overdue, Refused
from ansim.documents import digest
from ansim.errors import Problem

WORLD = back_rooms.World(Path(sys.argv[1]), "company-x")
FILES = {"table.csv": b"age,n\n40,15\n", "model.json": b"{}"}


def agreed() -> str:
    """An agreement that every party has signed, as the desk keeps it."""
    from ansim.sites import clock
    from ansim.sites.store import ledger

    terms = WORLD.terms()
    back_rooms.put_in_force(terms)
    held = {"id": terms["id"], "request": back_rooms.REQUEST, "title": terms["title"], "terms": terms, "version": 1}
    held |= {
        "status": "in force",
        "signed": ["company-x"],
        "drawn": "",
        "pdf": "0" * 64,
        "digest": digest(terms),
        "names": {},
        "at": clock.iso(clock.now()),
    }
    ledger.record("paper", terms["id"], held, status="in force")
    return terms["id"]


def released(key: str, name: str, listed: dict[str, bytes]) -> None:
    """A release as it has come; what is listed may be something else than what lies there."""
    from ansim.sites import clock
    from ansim.sites.config import site
    from ansim.sites.store import ledger

    folder = site().path("releases", name)
    folder.mkdir(parents=True)
    for file, content in FILES.items():
        (folder / Path(file).name).write_bytes(content)
    files = [{"name": file, "sha256": hashlib.sha256(content).hexdigest()} for file, content in listed.items()]
    data = {"id": name, "agreement": key, "sender": "centre-1", "at": clock.iso(clock.now())}
    ledger.record("release", name, {**data, "manifest": {"agreement": key, "files": files}}, status="received")


def federated(desk: Desk, key: str) -> None:
    """Asked with a step-up in between, signed by the member's key, on its way to the centre; the mistakes by name."""
    from ansim.sites.store.models import Event

    spec = {"ansim": "model/1", "kind": "logistic", "title": {"ko": "모형", "en": "Model"}, "outcome": "chronic"}
    spec["terms"] = [{"variable": "sex", "levels": ["F", "M"]}]
    with pytest.raises(Refused) as found:
        desk.federated(key, area="", method="logistic", spec=spec)
    assert list(found.value.fields) == ["area"]
    before = set(desk.requests())
    job = desk.federated(key, area="respiratory", method="logistic", spec=spec)
    assert job.look()["method"] == "logistic"
    assert job.refused_by() == []
    assert set(desk.requests()) == before
    assert Event.objects.filter(stream=f"job:{job.id}").exists()


def download(desk: Desk, key: str, folder: Path) -> None:
    with pytest.raises(Overdue):
        desk.next_release(key, known=(), seconds=0)
    released(key, "rel-1", FILES)
    release = desk.next_release(key, known=(), seconds=5)
    files = release.download(folder)
    assert {file.name: file.read_bytes() for file in files} == FILES
    with pytest.raises(FileExistsError):
        release.download(folder)  # nothing is written over
    released(key, "rel-2", {"../rel-1/table.csv": FILES["table.csv"]})
    with pytest.raises(Problem) as found:
        desk.release("rel-2").download(folder / "other")
    assert found.value.code == "bad-name"
    assert not (folder / "other").exists()


def main() -> None:
    with api_life.site(WORLD):
        from django.core.wsgi import get_wsgi_application

        password = json.loads((WORLD.nation.folder / "sign-ins.json").read_text())["company-x"]["researcher"]
        transport = httpx.WSGITransport(app=get_wsgi_application())
        where = "http://127.0.0.1:8607"
        with pytest.raises(Refused) as found:
            Desk(where, "researcher", "not this one", transport=transport)
        assert found.value.code == "sign-in"
        with Desk(where, "researcher", password, transport=transport, language="en") as desk:
            from django.contrib.sessions.models import Session

            for each in Session.objects.all():  # signed in long ago: acts that bind ask once more
                store = each.get_decoded()
                each.session_data = Session.objects.encode({**store, "stepped_up": 0})
                each.save()
            key = agreed()
            assert desk.agreements() == [key]
            federated(desk, key)
            download(desk, key, WORLD.nation.folder / "downloads")
            desk.sign_out()


if __name__ == "__main__":
    main()
