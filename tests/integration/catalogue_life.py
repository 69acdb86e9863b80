"""Descriptions arrive at a real hub, are found, shown and harvested; run by test_back_rooms.py with a folder."""

import json
import sys
from pathlib import Path

from back_rooms import World, deliver, refused

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "data"))
import catalogue_world
from rdflib import Graph, URIRef
from rdflib.namespace import DCAT, RDF

HERE = World(Path(sys.argv[1]), "hub")
HOLDERS = ("hospital-a", "hospital-b")


def published(one: dict) -> dict:
    """A description signed as its holder would sign it."""
    from ansim.sites.exchange import signed
    from ansim.sites.keeper.keystore import signing_key

    key = next(key for key in HERE.store(one["holder"]["id"]).keys.values() if key.get("use") == "sig")
    return {"description": signed.sign_document(one, key["kid"], signing_key(key).sign)}


def main() -> None:
    from ansim.sites.serve import prepare

    prepare(HERE.folder)
    from django.test import Client

    from ansim.sites.store.models import Record

    told = [one for one in catalogue_world.descriptions() if one["holder"]["id"] in HOLDERS]
    for one in told:
        deliver("dataset.publish", published(one), one["holder"]["id"])
    first = next(one for one in told if any("A1c" in row["name"] for row in one["variables"]))
    program = Client(SERVER_NAME="localhost")
    browser = Client(SERVER_NAME="localhost", headers={"accept": "text/html", "accept-language": "ko"})

    def listed(**asked: object) -> dict[str, dict]:
        found = program.get("/catalogue/", asked, headers={"accept": "application/json"}).json()["datasets"]
        return {one["id"]: one for one in found}

    assert len(listed()) == len(told)
    assert set(listed(q="xyzzyplugh")) == set()
    assert {one["holder"] for one in listed(holder="hospital-b").values()} == {"hospital-b"}
    assert "당뇨" in browser.get("/catalogue/", {"q": "당뇨"}).content.decode()

    # A newer version takes the place of the older one, and every reader's index hears of it; nobody else's may.
    newer = {**first, "title": {"ko": "새 이름 자료 xyzzyplugh", "en": "A new name"}}
    deliver("dataset.publish", published(newer), first["holder"]["id"])
    assert set(listed(q="xyzzyplugh")) == {first["id"]}
    other = next(holder for holder in HOLDERS if holder != first["holder"]["id"])
    stolen = {**first, "holder": {"id": other, "name": first["holder"]["name"]}}
    refused("not-yours", deliver, "dataset.publish", published(stolen), other)

    # Which hospitals have it for so many people since then: the answer is the sum of what the profiles tell.
    row = next(row for one in told for row in one["variables"] if "A1c" in row["name"])
    since = sum(people for year, people in row["last_years"] if year >= 2018)
    question = f"Which hospitals have HbA1c for more than {since} people since 2018?"
    answer = listed(q=question)
    assert max(one["fitting"] for one in answer.values()) >= since
    assert all(one["fitting"] >= since for one in answer.values())
    assert len(listed(q="HbA1c", people=10**8)) == 0

    page = f"/catalogue/{first['id']}/"
    shown = browser.get(page).content.decode()
    assert "DUO:" not in shown  # this description names no conditions
    assert browser.get(page, {"v": "당화혈색소"}).content.decode().count("Hemoglobin A1c") >= 1
    assert "Hemoglobin A1c" not in browser.get(page, {"v": "체온"}).content.decode()

    graphs = []
    for address, accept in ((page, "text/turtle"), (f"{page[:-1]}.ttl", "*/*"), (page, "application/ld+json")):
        got = program.get(address, headers={"accept": accept})
        assert got.status_code == 200, (address, accept)
        kind = "json-ld" if "json" in got["content-type"] else "turtle"
        graphs.append(len(Graph().parse(data=got.content.decode(), format=kind)))
    assert len(set(graphs)) == 1, graphs
    assert program.get(page, headers={"accept": "text/html"})["content-type"].startswith("text/html")

    feed, seen = Graph(), 0
    while got := program.get(f"/catalogue.ttl?page={seen + 1}"):
        if got.status_code != 200:
            break
        feed.parse(data=got.content.decode(), format="turtle")
        seen += 1
    assert got.status_code == 404
    assert set(feed.subjects(RDF.type, DCAT.Dataset)) == {
        URIRef(f"http://localhost/catalogue/{one['id']}/#dataset") for one in told
    }

    rows = program.get(f"{page}variables.csv").content.decode("utf-8-sig").splitlines()
    assert len(rows) == 1 + len(first["variables"])
    assert program.get("/catalogue/nothing.ttl").status_code == 404

    # What was changed in the hub's own database is not handed to programs, and people are warned.
    record = Record.objects.get(kind="dataset", key=first["id"])
    record.data["description"]["people"] = 10**6
    record.save()
    assert program.get(f"{page[:-1]}.ttl").status_code == 409
    assert json.loads(program.get(page, headers={"accept": "application/json"}).content)["verified"] is False


if __name__ == "__main__":
    main()
