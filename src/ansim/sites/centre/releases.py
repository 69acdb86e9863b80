"""Handing over exactly what was checked: remembered, receipted, encrypted to the desk, and on the public register."""

import json
import tarfile
from importlib.metadata import version
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.output import LIVE, Release, Revoke, Withdraw, output
from ansim.governance.papers.letters import release_receipt
from ansim.governance.papers.paper import text
from ansim.privacy.airlock import crate
from ansim.sites import clock
from ansim.sites.centre import agreements, letters, memory, outputs, tables, workspaces
from ansim.sites.config import site
from ansim.sites.exchange import bulk, post, signed
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

RECEIPT = "receipt.pdf"


def _release(payload: dict) -> dict[str, Any]:
    """The receipt and the encrypted bundle."""
    name, key = payload["output"], payload["agreement"]
    terms = agreements.require_in_force(key)
    data, folder = outputs.get(name), outputs.place(key, name)
    receipt = letters.signed(
        release_receipt(_receipt(name, data, terms, payload["at"]), at=letters.moment(payload["at"])),
        "반출 확인 / Release",
    )
    (folder / RECEIPT).write_bytes(receipt)
    listed = [*data["files"], {"name": RECEIPT, "sha256": bulk.digest(folder / RECEIPT), "size": len(receipt)}]
    bundle = folder / ".bundle"
    with tarfile.open(bundle, "w") as tar:
        for file in listed:
            tar.add(folder / file["name"], arcname=file["name"], recursive=False, filter=_anonymous)
    blob, secret = bulk.encrypt(bundle, site().path("outgoing"))
    bundle.unlink()
    return {"blob": blob, "key": secret, "files": listed}


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _receipt(name: str, data: dict, terms: dict, at: str) -> dict:
    rules = agreements.policy(terms)
    checkers = [
        {"name": person, "at": at[:19].replace("T", " "), "decision": text("반출 허용", "Release")}
        for person, view in data["views"].items()
        if view["release"]
    ]
    kind = text("결과 파일", "Result")
    return {
        "ansim": "release/1",
        "id": name,
        "agreement": terms["id"],
        "terms": digest(terms),
        "issuer": letters.issuer(),
        "requester": data["author"],
        "released_at": at[:19].replace("T", " "),
        "checkers": checkers,
        "rules": text(
            f"{rules.threshold}명 미만 셀 숨김, {rules.rounding} 단위 반올림, 독립된 심사위원 2명",
            f"Cells under {rules.threshold} people hidden, rounded to {rules.rounding}, two independent checkers",
        ),
        "files": [
            {"name": file["name"], "sha256": file["sha256"], "kind": kind, "bytes": file["size"]}
            for file in data["files"]
        ],
    }


def _released(payload: dict, found: dict) -> None:
    """Everything at once: the tables' memory, the ledger, the message to the desk, the register."""
    name, key = payload["output"], payload["agreement"]
    data = outputs.get(name)
    if data["status"] not in ("agreed", "exportable"):
        return
    terms = agreements.require_in_force(key)
    with memory.LOCK:
        late = _remember(name, key, data, terms)
    if late:
        ledger.execute(output, name, Withdraw(by=site().id, reason=late), actor=site().id)
        return
    folder = outputs.place(key, name)
    there = [{"name": file["name"], "sha256": bulk.digest(folder / file["name"])} for file in data["files"]]
    state = ledger.execute(output, name, Release(by=site().id, files=there), actor=site().id)
    receipt = ledger.keep_bytes((folder / RECEIPT).read_bytes(), "receipt", "application/pdf")
    manifest = {
        "ansim": "release-manifest/1",
        "release": name,
        "agreement": key,
        "terms": digest(terms),
        "centre": site().id,
        "at": state.manifest["at"],
        "files": found["files"],
        "checked": state.manifest["digest"],
        "receipt": receipt,
        "downloads": int(site().options.get("downloads", 20)),
    }
    proof = signed.sign_document(manifest, post.own_kid(), post.sign)
    ledger.note(f"workspace:{key}", "release.sent", output=name, manifest=ledger.keep(proof, "manifest"))
    post.send(
        "release.send",
        {
            "agreement": key,
            "release": name,
            "manifest": manifest,
            "signatures": proof["signatures"],
            "blob": found["blob"],
            "key": found["key"],
        },
        to=terms["user"]["id"],
        sealed=True,
        blob=found["blob"],
    )
    files = [{"name": file["name"], "sha256": file["sha256"]} for file in data["files"]]
    note = {
        "kind": "release",
        "id": name,
        "agreement": key,
        "title": terms["title"],
        "areas": terms["areas"],
        "user": terms["user"]["id"],
        "files": files,
        "manifest": digest(manifest),
        "at": state.manifest["at"],
    }
    post.send("register.note", note, to=site().hub)


def _remember(name: str, key: str, data: dict, terms: dict) -> str:
    """Look once more at each table, for another release may have come between, and remember what leaves now.

    Gives the reason why nothing may leave, or nothing. A memory that knows more than was released is merely cautious.
    """
    rules, held = agreements.policy(terms), outputs.notes(name)
    store = memory.of(key, rules)
    if any(release.facts.get("id") == name for release in store.releases):
        return ""
    made = []
    for file, given in (held.get("tables") or {}).items():
        frame = outputs.frame(key, held["parts"].get(file, ""))
        table, released = tables.remake(frame, tables.specification(given), rules, store, outputs.asker(data))
        content = (outputs.place(key, name) / file).read_bytes()
        if list(tables.compare(content, file, released)):
            return "with a release that came between, these tables would single people out"
        made.append((table, released))
    for table, released in made:
        store.remember(table, released, outputs.asker(data), clock.now(), id=name)
    return ""


jobs.job("release", finish=_released)(_release)


def revoke(name: str, person: str, reason: str) -> dict:
    """Take a release back: the desk deletes its files and says so, the register shows it, the memory keeps it.

    What was downloaded before cannot be called back; the agreement binds the user to delete it.
    """
    data = outputs.get(name)
    terms = agreements.terms(data["project"])
    senior = agreements.member_of(person, terms)
    with transaction.atomic():
        state = ledger.execute(output, name, Revoke(by=senior, reason=reason), actor=senior)
        body = {"agreement": data["project"], "release": name, "reason": reason.strip()}
        post.send("release.revoke", body, to=terms["user"]["id"], sealed=True)
        note = {
            "kind": "release-revoked",
            "id": name,
            "agreement": data["project"],
            "title": terms["title"],
            "areas": terms["areas"],
            "user": terms["user"]["id"],
            "at": clock.iso(clock.now()),
        }
        post.send("register.note", note, to=site().hub)
    return state.as_data()


@post.receives("release.revoked")
def _on_revoked(message: post.Message) -> None:
    """The desk's word that the files are gone there, and how often they had been downloaded."""
    name = str(message.payload["release"])
    data = outputs.get(name)
    if message.sender != agreements.terms(data["project"])["user"]["id"] or data["status"] != "revoked":
        raise Problem("not-yours", N_("This release was not taken back from this organisation."))
    downloads = {str(file)[:120]: int(count) for file, count in dict(message.payload["downloads"]).items()}
    ledger.note(f"workspace:{data['project']}", "release.gone", actor=message.sender, output=name, downloads=downloads)
    ledger.record(
        outputs.NOTES, name, {**outputs.notes(name), "gone": {"at": clock.iso(clock.now()), "downloads": downloads}}
    )


def crate_of(name: str) -> bytes:
    """A release as a Five Safes RO-Crate, with the record of its disclosure control (SATRE 3.3.09)."""
    data, notes = outputs.get(name), outputs.notes(name)
    if data["status"] != "released" or workspaces.get(data["project"])["status"] == "closed":
        raise Problem("not-released", N_("The result has not been released."))
    terms = agreements.terms(data["project"])
    software = f"ansim {version('ansim')}"
    record = crate.record(data, notes, agreements.policy(terms).as_data(), software)
    files = {file["name"]: file_of(name, file["name"]) for file in data["files"]}
    run = Record.objects.filter(kind="run", key=notes.get("run") or "-").first()
    work = {
        "sha256": run.data["script"] if run else data["manifest"]["digest"],
        "name": "Script" if run else "Analysis",
    }
    document = crate.metadata(
        name=name,
        title=terms["title"],
        output=data,
        centre={"id": site().id, "name": site().name.get("en", site().id)},
        user=terms["user"],
        work=work,
    )
    return crate.bag(name, document, {**files, crate.RECORD: json.dumps(record, ensure_ascii=False, indent=1).encode()})


def download(name: str, file: str, person: str) -> bytes:
    """A file for one of its checkers, while the request is open and not more often than the site allows; on record."""
    data = outputs.get(name)
    if data["status"] not in LIVE:
        raise Problem("no-file", N_("There is no such file."))
    body = file_of(name, file)
    found = Record.objects.filter(kind="output-downloads", key=f"{name}:{file}").first()
    counts = dict(found.data) if found else {}
    most = int(site().options.get("checker_downloads", 5))
    if counts.get(person, 0) >= most:
        raise Problem(
            "download-limit",
            N_("You have downloaded this file {most} times; more is not allowed."),
            remedy=N_("Look at it on the page."),
            most=most,
        )
    counts[person] = counts.get(person, 0) + 1
    ledger.note(f"workspace:{data['project']}", "output.downloaded", actor=person, output=name, file=file)
    ledger.record("output-downloads", f"{name}:{file}", counts)
    return body


def result_of(name: str) -> Any:
    """The released result.json of a federated output; Problem while it is not released."""
    data = outputs.get(name)
    if data["status"] != "released":
        raise Problem("not-released", N_("The result has not been released."))
    return json.loads((outputs.place(data["project"], name) / "result.json").read_text("utf-8"))


def file_of(name: str, file: str) -> bytes:
    """A file of an output request for its checkers."""
    data = outputs.get(name)
    if file not in [each["name"] for each in data["files"]] or workspaces.get(data["project"])["status"] == "closed":
        raise Problem("no-file", N_("There is no such file."))
    return (outputs.place(data["project"], name) / file).read_bytes()
