"""The life of a workspace at a real centre site, with the other sites' messages made by their own keys.

Run by test_centre.py as a process of its own: Django serves one site a process. Argument: an empty folder.
"""

import base64
import json
import os
import shutil
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "privacy"))
import deid_world as world

from ansim.demo.nation import MEMBERS, Nation
from ansim.documents import digest
from ansim.errors import Problem
from ansim.governance.papers.agreement import agreement as draw
from ansim.governance.papers.sign import Party, sign_pdf
from ansim.privacy.deid import keys, plan, run
from ansim.research.analysis import methods
from ansim.sites.exchange import signed
from ansim.sites.keeper import client
from ansim.sites.keeper.keystore import Keystore

FOLDER = Path(sys.argv[1])
NATION = Nation(FOLDER)
HOLDERS = {"hospital-b": 700, "public-body": 600}
KEY = "agr-centre-life"
NOW = datetime.now(UTC)


def store(site: str) -> Keystore:
    return Keystore(NATION.site(site) / "keys", NATION.passphrase_file(site).read_bytes())


def signer(site: str, key: str = "site"):
    return store(site).private(key).private_key.sign


def terms() -> dict:
    held = store("company-x")
    from ansim.sites.keeper.keystore import public

    people = [
        {"id": name, "name": who, "role": role, "key": public(held.keys[name])} for name, (who, role) in MEMBERS.items()
    ]
    return {
        "ansim": "agreement/1",
        "id": KEY,
        "version": 1,
        "supersedes": None,
        "title": {"ko": "결합 연구", "en": "Linked study"},
        "user": {"id": "company-x", "name": "Company X"},
        "holders": [{"id": name, "name": name} for name in HOLDERS],
        "members": people,
        "purpose": "scientific research",
        "areas": ["respiratory"],
        "query": query(),
        "modes": ["federated", "centre", "extract"],
        "place": {"centre": "centre-1", "remote": True},
        "max_persons": 1000,
        "linkage": {"key_agency": "keyagency-1", "linker": "centre-1", "holders": sorted(HOLDERS)},
        "not_before": (NOW - timedelta(days=1)).date().isoformat(),
        "not_after": (NOW + timedelta(days=90)).date().isoformat(),
        "output": {"threshold": 10, "rounding": 5, "checkers": 2},
        "reidentification": "forbidden",
        "destruction": {"within_days": 30},
        "publication": {},
        "fees": [],
    }


def query() -> dict:
    from ansim.research.cohort.query import parse

    return parse(world.query()).document()


def final(document: dict, parties: list[str]) -> dict:
    """The paper as the desk passes it on, signed by these parties."""
    drawn = NOW.isoformat(timespec="milliseconds")
    names = {world.SINUSITIS: "sinusitis", world.CHRONIC: "chronic sinusitis", world.TEMPERATURE: "temperature"}
    pdf = draw(document, names=names, at=datetime.fromisoformat(drawn))
    directory = {site["id"]: site for site in json.loads((FOLDER / "directory.json").read_text())["sites"]}
    for party in parties:
        certificate = base64.b64decode(directory[party]["certificate"])
        pdf = sign_pdf(pdf, Party(party, certificate, signer(party)), reason="agreed", at=datetime.now(UTC))
    return {
        "id": document["id"],
        "terms": document,
        "names": {str(key): name for key, name in names.items()},
        "drawn": drawn,
        "pdf": base64.b64encode(pdf).decode(),
    }


def extract(holder: str, people: int, place: Path, outgoing: Path) -> tuple[dict, dict[int, str]]:
    """The holder's message, and the serial of each person."""
    from ansim.sites.exchange import bulk

    con, secret, asked = world.cdm(people), holder.encode().ljust(32, b"!"), query()
    made = plan.compile(asked, run.cdm_tables(con), data_version=holder)
    manifest = run.extract(
        con,
        asked,
        made,
        world.cohort(con),
        lambda ids: keys.pseudonyms(secret, ids),
        lambda ids: keys.date_shifts(secret, ids),
        place / holder,
    )
    ids = [person for person, *_ in world.cohort(con)]
    serials, tokens = keys.serials(secret, ids), keys.pseudonyms(secret, ids)
    kept = set(pq.read_table(place / holder / "person.parquet")["person_id"].to_pylist())
    rows = [
        (person, serial, token) for person, serial, token in zip(ids, serials, tokens, strict=True) if token in kept
    ]
    pq.write_table(
        pa.table({"serial": [row[1] for row in rows], "person": [row[2] for row in rows]}),
        place / holder / "serials.parquet",
    )
    with tarfile.open(place / f"{holder}.tar", "w") as tar:
        for file in sorted((place / holder).iterdir()):
            tar.add(file, file.name)
    blob, key = bulk.encrypt(place / f"{holder}.tar", outgoing)
    payload = {
        "agreement": KEY,
        "version": 1,
        "holder": holder,
        "extract": f"ext-{holder}",
        "manifest": manifest,
        "blob": blob,
        "key": key,
        "decisions": [],
    }
    return payload, {row[0]: row[1] for row in rows}


class Courier:
    """Carries blobs by hand."""

    def __init__(self, outgoing: Path):
        self.outgoing = outgoing

    def get_blob(self, name: str, target: Path) -> None:
        shutil.copyfile(self.outgoing / name, target)


def main() -> None:
    NATION.found()
    os.environ["ANSIM_SITE"] = str(NATION.site("centre-1"))
    os.environ["ANSIM_PASSPHRASE_FILE"] = str(NATION.passphrase_file("centre-1"))
    keeper = client.start(NATION.site("centre-1"))
    try:
        from ansim.sites.serve import prepare

        prepare(NATION.site("centre-1"))
        life()
    finally:
        shutil.rmtree(packages_place(), ignore_errors=True)
        keeper.stdin.close()
        keeper.wait(5)


def packages_place() -> Path:
    from ansim.sites.centre import packages

    return packages.place()


def refused(code: str, call, *arguments, **named) -> None:
    with pytest.raises(Problem) as found:
        call(*arguments, **named)
    assert found.value.code == code, f"{found.value.code}: {found.value}"


def life() -> None:
    from ansim.sites import clock
    from ansim.sites.centre import (
        agreements,
        closing,
        exports,
        federated,
        imports,
        outputs,
        packages,
        releases,
        runs,
        vault,
        workspaces,
    )
    from ansim.sites.exchange import post
    from ansim.sites.store import jobs
    from ansim.sites.store.models import Event, Job, Record

    def hear(typ: str, sender: str, payload: dict) -> None:
        from django.db import transaction

        with transaction.atomic():
            post._handlers[typ](
                post.Message(typ, sender, json.loads(json.dumps(payload)), os.urandom(8).hex(), clock.now())
            )

    def work() -> None:
        kinds = [kind for kind in jobs._kinds if kind not in ("send", "receive")]
        while task := jobs.take(kinds):
            jobs.run(task)
        dead = list(Job.objects.filter(state="dead").values_list("kind", "error")) + list(
            Job.objects.filter(state="queued").exclude(error="").values_list("kind", "error")
        )
        assert not dead, dead

    def sent(typ: str) -> int:
        from ansim.sites.exchange import envelope

        wires = [job.payload["wire"] for job in Job.objects.filter(kind="send")]
        return sum(envelope.signed.header(wire["jws"])["typ"].endswith(typ) for wire in wires)

    agreed = terms()
    # Agreement: a missing signature, then all of them.
    refused("unsigned", hear, "agreement.final", "company-x", final(agreed, ["company-x", "hospital-b"]))
    hear("agreement.final", "company-x", final(agreed, ["company-x", *HOLDERS]))
    assert workspaces.get(KEY)["status"] == "waiting"
    assert sent("register.note") == 1
    member = "researcher@company-x"
    refused("not-open", runs.start, KEY, member, "print(1)", "too early")
    refused("no-access", runs.start, KEY, "stranger", "print(1)", "a stranger")
    # Extracts and pairs.
    place, outgoing = FOLDER / "made", FOLDER / "made" / "outgoing"
    place.mkdir()
    messages, serials = {}, {}
    for holder, people in HOLDERS.items():
        messages[holder], serials[holder] = extract(holder, people, place, outgoing)
    imports.transport = lambda: Courier(outgoing)
    refused("not-a-holder", hear, "extract.send", "hospital-a", messages["hospital-b"])
    refused("not-a-holder", hear, "extract.send", "hospital-b", messages["public-body"])
    hear("extract.send", "hospital-b", {**messages["hospital-b"], "manifest": messages["public-body"]["manifest"]})
    work()
    assert workspaces.get(KEY)["extracts"]["hospital-b"]["status"] == "refused"  # not what was announced
    Job.objects.filter(kind="import").delete()  # the same blob again: sent anew it would be another
    for holder, message in messages.items():
        hear("extract.send", holder, message)
    work()
    refused("received-already", hear, "extract.send", "hospital-b", messages["hospital-b"])
    assert workspaces.get(KEY)["status"] == "waiting"  # the pairs are missing
    both = sorted(set(serials["hospital-b"]) & set(serials["public-body"]))
    pairs = [["hospital-b", serials["hospital-b"][one], "public-body", serials["public-body"][one]] for one in both]
    refused("not-the-key-agency", hear, "link.pairs", "hospital-b", {"agreement": KEY, "pairs": pairs, "rates": {}})
    hear("link.pairs", "keyagency-1", {"agreement": KEY, "pairs": pairs, "rates": {"match_rate_permille": 900}})
    work()
    space = workspaces.get(KEY)
    assert space["status"] == "held"
    assert space["linkage"]["people"] == len(both)
    assert not list(workspaces.folder(KEY).rglob("serials.parquet"))
    assert not Record.objects.filter(kind="pairs").exists()
    refused("not-open", runs.start, KEY, member, "print(1)", "held")
    judged = {"related": True, "not_identifiable": True, "safety_plan": True, "reason": "일반화 수준이 충분함"}
    refused("no-reason", exports.admit, KEY, "exporter", {**judged, "reason": ""})
    assert exports.admit(KEY, "exporter", judged)["status"] == "open"
    assert not list(workspaces.folder(KEY).rglob("*.parquet"))  # at rest nothing lies in clear
    with vault.opened(KEY) as opened:
        frame = pq.read_table(opened / "data" / "frame.parquet")
    assert not opened.exists()
    assert frame.num_rows == len(both)
    assert {"person_id", "sex", "age_band", "chronic", "sex@hospital-b", "sex@public-body"} <= set(frame.column_names)
    # A script: what it makes is kept here; the raw table cannot leave, the safe version can.
    packages.prepare()
    script = (
        "import pandas as pd\n"
        "people = pd.read_parquet('/data/frame.parquet')\n"
        "table = people.groupby(['age_band', 'sex'], dropna=False).person_id.nunique().rename('n').reset_index()\n"
        "table.to_csv('/out/table.csv', index=False)\n"
        "people.to_csv('/out/people.csv', index=False)\n"
        "table.to_csv('/out/hand.csv', index=False)\n"
        "print(len(people))\n"
    )
    name = runs.start(KEY, member, script, "표")
    work()
    data = runs.get(KEY, name)
    assert data["status"] == "done", data["stderr"]
    assert data["stdout"].strip() == str(len(both))
    assert {file["name"] for file in data["files"]} == {"table.csv", "people.csv", "hand.csv"}
    spec = {
        "ansim": "table/1",
        "title": {"ko": "표", "en": "Table"},
        "query": digest(query()),
        "rows": ["age_band"],
        "columns": ["sex"],
        "measure": {"kind": "count"},
        "where": {},
    }
    raw = outputs.from_run(KEY, member, name, ["table.csv", "people.csv"], "논문 표", {"table.csv": spec})
    work()
    assert outputs.get(raw)["status"] == "refused"
    found = outputs.notes(raw)["findings"]
    assert {"unprotected", "identifying-column"} <= {each["code"] for each in found}
    safe = outputs.safe_version(raw, member)
    work()
    assert outputs.get(safe)["status"] == "checking", outputs.notes(safe)
    assert [each["code"] for each in outputs.notes(safe)["findings"]] == ["machine-checked"]
    by_hand(work, outputs, releases, name, member)
    lab = lab_life(member)
    refused("roles-not-apart", outputs.review, safe, "researcher2", release=True, reason="mine")
    outputs.review(safe, "checker1", release=True, reason="")
    refused("checked-already", outputs.review, safe, "checker1", release=True, reason="")
    outputs.review(safe, "checker2", release=True, reason="")
    work()
    assert outputs.get(safe)["status"] == "agreed"  # linked data: not without the export review
    assert sent("release.send") == 0
    outputs.review_export(safe, "exporter", judged)
    work()
    assert outputs.get(safe)["status"] == "released"
    assert sent("release.send") == 1
    taken_back(hear, work, sent, outputs, releases, safe)
    federated_life(hear, work, sent, federated, outputs, releases, agreed, member)
    pages()
    # The end, by the centre's own clock: access ends before the beat has run, then all is destroyed.
    clock.move(91 * 86400)
    refused("no-access", runs.start, KEY, member, "print(1)", "too late")
    assert agreements.unusable_now(KEY)
    lab_over(lab)
    waiting = workspaces.folder(KEY)
    assert waiting.exists()
    stolen = FOLDER / "stolen"
    shutil.copytree(waiting, stolen)  # a backup that somebody kept
    assert vault.opens(KEY)
    closing.look()
    closing.look()
    work()
    space = workspaces.get(KEY)
    assert space["status"] == "closed"
    assert not waiting.exists()
    shutil.copytree(stolen, waiting)
    assert not vault.opens(KEY)  # the backup is worth nothing: its key is gone
    refused("key-destroyed", vault.unseal, KEY, vault._named(KEY))
    shutil.rmtree(waiting)
    noted = [json.loads(each.data) for each in Event.objects.filter(type="workspace.destroyed")]
    assert [(each["opened before"], each["key destroyed"]) for each in noted] == [(True, True)]
    assert sent("register.note") == 5  # agreement, two releases, one of them taken back, closed
    from ansim.sites.store.ledger import document_bytes

    assert document_bytes(space["certificate"]).startswith(b"%PDF")
    pages()


def taken_back(hear, work, sent, outputs, releases, name: str) -> None:
    """A checker's downloads are counted; a senior takes the release back; the desk says what it had downloaded."""
    assert outputs.get(name)["status"] == "released"
    refused("no-file", releases.download, name, "table.csv", "checker1")  # only while it is being checked
    refused("roles-not-apart", releases.revoke, name, "researcher2", "mine")
    refused("no-reason", releases.revoke, name, "senior", " ")
    revoked = {"release": name, "downloads": {"table.csv": 2}}
    refused("not-yours", hear, "release.revoked", "company-x", revoked)  # nothing was taken back yet
    releases.revoke(name, "senior", "경계값 오류")
    work()
    assert outputs.get(name)["status"] == "revoked"
    assert sent("release.revoke") == 1
    refused("not-yours", hear, "release.revoked", "hospital-a", revoked)
    hear("release.revoked", "company-x", revoked)
    assert outputs.notes(name)["gone"]["downloads"] == {"table.csv": 2}
    refused("illegal-transition", releases.revoke, name, "senior", "again")


def disputed(work, outputs, releases, name: str) -> None:
    """Two checkers differ; neither of them and nobody of the project settles it."""
    for _ in range(5):
        releases.download(name, "hand.csv", "checker1")
    refused("download-limit", releases.download, name, "hand.csv", "checker1")
    outputs.review(name, "checker1", release=True, reason="a")
    outputs.review(name, "checker2", release=False, reason="b")
    assert outputs.get(name)["status"] == "disputed"
    for person in ("checker1", "researcher", "researcher2"):
        refused("roles-not-apart", outputs.settle, name, person, release=True, reason="c")
    outputs.settle(name, "senior", release=False, reason="c")
    assert outputs.get(name)["status"] == "refused"


def by_hand(work, outputs, releases, run: str, member: str) -> None:
    """A table without a specification: the machine hides and rounds what stands in the file, and says that it did."""
    raw = outputs.from_run(KEY, member, run, ["hand.csv"], "손으로 만든 표", {})
    work()
    assert outputs.get(raw)["status"] in ("refused", "checking")
    safe = outputs.safe_version(raw, member)
    work()
    refused("no-safe-version", outputs.safe_version, safe, member)  # it is safe already
    assert outputs.get(raw)["status"] in ("refused", "withdrawn")
    assert outputs.get(safe)["status"] == "checking", outputs.notes(safe)
    codes = {each["code"] for each in outputs.notes(safe)["findings"]}
    assert {"people-unknown", "safe-version"} <= codes, codes
    disputed(work, outputs, releases, safe)
    shown = (outputs.place(KEY, safe) / "hand.csv").read_text().splitlines()[1:]
    assert all(line.rpartition(",")[2] in ("–", "<10") or int(line.rpartition(",")[2]) % 5 == 0 for line in shown)


def cookies(username: str) -> str:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(User.objects.get(username=username))
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def asked(name: str, method: str, path: str, body: dict | None = None):
    """The notebook server itself, behind the door."""
    from ansim.sites.centre import labs

    with httpx.Client(transport=httpx.HTTPTransport(uds=str(labs._running[name].socket)), timeout=90) as client:
        return client.request(method, f"http://localhost/s/{name}/{path}", json=body)


def lab_life(member: str) -> str:
    """Interactive work: one's own session and nobody else's; the work is sealed, comes back, and becomes a run."""
    from ansim.sites.centre import labs, runs, vault, workspaces

    refused("no-access", labs.start, KEY, "stranger")
    name = labs.start(KEY, member)
    assert labs.start(KEY, member) == name
    assert labs.enter(cookies("researcher"), name).member == member
    for other in ("researcher2", "room", "checker1"):
        refused("no-access", labs.enter, cookies(other), name)
    refused("no-access", labs.enter, cookies("researcher"), "lab-0000")
    refused("no-access", labs.enter, cookies("researcher")[:-1] + "?", name)
    refused("no-access", labs.enter, "", name)
    refused("nothing-out", labs.hand_in, KEY, member)
    text = {"type": "file", "format": "text", "content": "sentinel-5517"}
    assert asked(name, "PUT", "api/contents/out/t.txt", text).status_code == 201
    run = labs.hand_in(KEY, member)
    assert [file["name"] for file in runs.get(KEY, run)["files"]] == ["t.txt"]
    sealed = labs.place(KEY, member)
    assert b"sentinel-5517" not in sealed.read_bytes()
    assert b"sentinel-5517" in vault.unseal(KEY, sealed)  # control
    sealed.with_name("other.sealed").write_bytes(sealed.read_bytes())
    refused("sealed", vault.unseal, KEY, sealed.with_name("other.sealed"))  # another file in its place
    labs.stop(name, "member")
    assert labs.of(KEY)[0]["figures"]["saved"]
    refused("no-access", labs.enter, cookies("researcher"), name)
    again = labs.start(KEY, member)
    assert asked(again, "GET", "api/contents/out/t.txt").json()["content"] == "sentinel-5517"
    assert workspaces.folder(KEY, "lab").exists()
    return again


def lab_over(name: str) -> None:
    """The period is over: at once nobody comes in, and the next look ends the server."""
    from ansim.sites.centre import labs

    session = labs._running[name].session
    refused("no-access", labs.enter, cookies("researcher"), name)
    assert session.running()
    labs.look()
    assert not session.running()
    assert labs.of(KEY)[0]["why"] == "no longer allowed"


def job(agreed: dict, **facts) -> dict:
    member = facts.get("member", "researcher@company-x")
    document = {
        "ansim": "job/1",
        "agreement": KEY,
        "version": 1,
        "terms": digest(agreed),
        "area": "sinusitis",
        "mode": "federated",
        "member": member,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "nonce": os.urandom(16).hex(),
        "centre": "centre-1",
        "query": query(),
        **facts,
    }
    held = store("company-x")
    return signed.sign_document(document, held.keys[member]["kid"], held.private(member).private_key.sign)


def frames() -> dict[str, pa.Table]:
    from ansim.research.cohort.compile import frame
    from ansim.research.cohort.query import parse

    return {holder: frame(world.cdm(people), parse(query())) for holder, people in HOLDERS.items()}


def federated_life(hear, work, sent, federated, outputs, releases, agreed: dict, member: str) -> None:
    from ansim.sites.store.models import Record

    local = frames()
    model = {
        "ansim": "model/1",
        "kind": "logistic",
        "title": {"ko": "모형", "en": "Model"},
        "outcome": "chronic",
        "terms": [{"variable": "sex", "levels": ["F", "M"]}, {"variable": "temperature", "scale": [37, 1]}],
    }
    forged = job(agreed, method="logistic", spec=model)
    forged["document"]["area"] = "stroke"
    hear("fed.start", "company-x", {"job": forged})
    assert not federated.every()  # refused: the signature does not fit; the desk hears one sentence
    assert sent("job.refused") == 1
    asked = job(agreed, method="logistic", spec=model)
    run_id = digest(asked["document"])
    hear("fed.start", "company-x", {"job": asked})
    chosen = methods.method("logistic")
    while (data := federated.get(run_id))["status"] == "running":
        number, state = data["round"], federated._secret(run_id)["state"]
        refused("not-asked", hear, "fed.answer", "hospital-a", {"run": run_id, "round": number, "aggregate": {}})
        refused("not-asked", hear, "fed.answer", "hospital-b", {"run": run_id, "round": number + 1, "aggregate": {}})
        for holder, frame in local.items():
            sums = chosen.local(chosen.prepare(frame, model), model, state)
            hear("fed.answer", holder, {"run": run_id, "round": number, "aggregate": sums})
    work()
    data = federated.get(run_id)
    assert data["status"] == "checking", data
    assert not Record.objects.filter(kind=federated.SECRET).exists()
    refused("not-released", releases.result_of, data["output"])
    for checker in ("checker1", "checker2"):
        outputs.review(data["output"], checker, release=True, reason="모형 확인")
    work()
    assert outputs.get(data["output"])["status"] == "released"
    pooled = methods.run("logistic", [pa.concat_tables(distinct(local))], model)
    shown = releases.result_of(data["output"])["model"]
    for mine, whole in zip(shown["terms"], pooled["terms"], strict=True):
        assert abs(mine["coefficient"] - whole["coefficient"]) < 1e-8
        assert abs(mine["se"] - whole["se"]) < 1e-8
    # A table of which one holder says no: nobody gets a result, and no sums stay.
    table = {
        "ansim": "table/1",
        "title": {"ko": "표", "en": "Table"},
        "query": digest(query()),
        "rows": ["sex"],
        "columns": [],
        "measure": {"kind": "count"},
        "where": {},
    }
    asked = job(agreed, method="table", spec=table)
    hear("fed.start", "company-x", {"job": asked})
    stopped = digest(asked["document"])
    hear(
        "fed.answer",
        "hospital-b",
        {
            "run": stopped,
            "round": 1,
            "aggregate": {"union": {"rows": [["F"], ["M"]], "columns": [[]]}},
        },
    )
    hear("fed.answer", "public-body", {"run": stopped, "round": 1, "refused": True})
    assert federated.get(stopped)["status"] == "failed"
    assert not Record.objects.filter(kind=federated.SECRET).exists()
    hear("fed.start", "company-x", {"job": asked})  # replayed
    assert federated.get(stopped)["status"] == "failed"
    asked = job(agreed, method="table", spec=table)
    hear("fed.start", "company-x", {"job": asked})
    tables, run_id = methods.method("table"), digest(asked["document"])
    for number in (1, 2):
        state = federated._secret(run_id)["state"]
        for holder, frame in local.items():
            aggregate = tables.local(tables.prepare(frame, table), table, state)
            hear("fed.answer", holder, {"run": run_id, "round": number, "aggregate": aggregate})
    work()
    data = federated.get(digest(asked["document"]))
    assert data["status"] == "checking"
    content = json.loads((outputs.place(KEY, data["output"]) / "result.json").read_text())
    assert all(cell["n"] is None or cell["n"] % 5 == 0 for cell in content["table"]["cells"])


def distinct(local: dict[str, pa.Table]) -> list[pa.Table]:
    """The holders' frames as those of different people."""
    found = []
    for holder, frame in local.items():
        ids = pa.array([f"{holder}/{person}" for person in frame["person_id"].to_pylist()])
        found.append(frame.set_column(frame.schema.get_field_index("person_id"), "person_id", ids))
    return found


def pages() -> None:
    """Every page answers for those who may see it, as a page and as data."""
    from django.test import Client

    from ansim.sites.store.models import Record

    addresses = [
        "/",
        f"/workspaces/{KEY}/",
        f"/workspaces/{KEY}/runs/",
        f"/workspaces/{KEY}/lab/",
        "/outputs/",
        "/federated/",
    ]
    addresses += [f"/workspaces/{KEY}/runs/{found.key}/" for found in Record.objects.filter(kind="run")]
    addresses += [f"/outputs/{found.key}/" for found in Record.objects.filter(kind="output")]
    addresses += [f"/federated/{found.key}/" for found in Record.objects.filter(kind="federated")]
    from django.contrib.auth.models import User

    closed = Record.objects.get(kind="workspace", key=KEY).status == "closed"
    for username in ("room", "checker1", "exporter", "researcher"):
        browser = Client(SERVER_NAME="127.0.0.1", headers={"Accept-Language": "en"})
        browser.force_login(User.objects.get(username=username))
        for address in addresses:
            for accept in ("text/html", "application/json"):
                answer = browser.get(address, headers={"accept": accept})
                allowed = (
                    {200, 403}
                    if username == "exporter"
                    else {200, 400}
                    if closed and username == "researcher"
                    else {200}
                )
                assert answer.status_code in allowed, (
                    username,
                    address,
                    accept,
                    answer.status_code,
                    answer.content[-2000:],
                )


if __name__ == "__main__":
    main()
