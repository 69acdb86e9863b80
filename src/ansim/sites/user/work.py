"""What members ask under an agreement: extracts and federated analyses; and what comes back: refusals and releases."""

import hashlib
import re
import tarfile
from pathlib import Path
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.research.cohort.query import parse as parse_query
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import bulk, post
from ansim.sites.exchange.transport import transport
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record
from ansim.sites.user import agreements, signing

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it names a folder


def ask_extract(key: str, *, area: str, person: str, holders: list[str] | None = None, query: Any = None) -> str:
    """Ask every holder of the agreement for the extract that it agreed to; gives the job's id."""
    paper, member = agreements.get(key), signing.member_of(person)
    facts = {"query": parse_query(query).document()} if query else {}
    job = signing.job(agreement=paper, member=member, area=area, mode="extract", method="extract", spec={}, **facts)
    wanted = holders or [holder["id"] for holder in paper["terms"]["holders"]]
    return _send(job, "extract.ask", wanted, person, key)


def ask_federated(
    key: str, *, area: str, method: str, spec: dict, person: str, query: Any = None, holders: list[str] | None = None
) -> str:
    """Ask the centre to run a federated analysis over the agreement's holders; gives the job's id."""
    paper, member = agreements.get(key), signing.member_of(person)
    facts: dict[str, Any] = {"query": parse_query(query).document()} if query else {}
    if holders:
        facts["holders"] = holders
    job = signing.job(agreement=paper, member=member, area=area, mode="federated", method=method, spec=spec, **facts)
    return _send(job, "fed.start", [paper["terms"]["place"]["centre"]], person, key)


def _send(job: dict, typ: str, receivers: list[str], person: str, key: str) -> str:
    name = digest(job["document"])
    with transaction.atomic():
        ledger.note(
            f"job:{name}",
            "job.asked",
            actor=person,
            agreement=key,
            mode=job["document"]["mode"],
            job=ledger.keep(job, "job"),
        )
        data = {
            "id": name,
            "agreement": key,
            "mode": job["document"]["mode"],
            "method": job["document"]["method"],
            "asked": clock.iso(clock.now()),
            "person": person,
            "answers": {receiver: {"status": "asked"} for receiver in receivers},
        }
        ledger.record("job", name, data, status="asked")
        for receiver in receivers:
            post.send(typ, {"job": job}, to=receiver)
    return name


def _holders(key: str) -> list[str]:
    return [holder["id"] for holder in agreements.get(key)["terms"]["holders"]]


@post.receives("job.refused")
def _on_refused(message: post.Message) -> None:
    """A holder or centre does not run a job; it says no more than that."""
    found = Record.objects.select_for_update().filter(kind="job", key=message.payload["job"]).first()
    if found is None or message.sender not in {*found.data["answers"], *_holders(found.data["agreement"])}:
        raise Problem("not-asked", N_("This desk did not ask for that."))
    answers = {**found.data["answers"], message.sender: {"status": "refused", "reason": message.payload["reason"]}}
    ledger.record("job", found.key, {**found.data, "answers": answers}, status="refused")
    ledger.note(f"job:{found.key}", "job.refused", actor=message.sender, reason=message.payload["reason"])


@post.receives("release.send")
def _on_release(message: post.Message) -> None:
    """Results that passed the output check: fetched, verified against the manifest, and shown on the desk."""
    given = message.payload
    paper = agreements.get(given["agreement"])
    if message.sender != paper["terms"]["place"]["centre"]:
        raise Problem("not-the-centre", N_("Results come from the agreed centre only."))
    if not ID.fullmatch(str(given["release"])) or not post.BLOB.fullmatch(str(given["blob"])):
        raise Problem("bad-name", N_("This is not a release's name."))
    jobs.queue("fetch-release", given["release"], {**given, "sender": message.sender})


def _fetch(payload: dict) -> dict:
    folder = site().path("releases", payload["release"])
    folder.mkdir(parents=True, exist_ok=True)
    sealed, opened = folder / ".sealed", folder / ".tar"
    if not sealed.exists():
        transport().get_blob(payload["blob"], sealed)
    bulk.decrypt(sealed, payload["key"], opened)
    wanted = {each["name"]: each["sha256"] for each in payload["manifest"]["files"]}
    _unpack(opened, folder, wanted)
    opened.unlink()
    return wanted


def _unpack(archive: Path, folder: Path, wanted: dict[str, str]) -> None:
    """Exactly the files of the manifest, each with its hash."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if member.name not in wanted or content is None or Path(member.name).name != member.name:
                raise Problem(
                    "not-in-manifest", N_("The release holds {name}, which its manifest does not."), name=member.name
                )
            body = content.read()
            if hashlib.sha256(body).hexdigest() != wanted[member.name]:
                raise Problem("changed-file", N_("{name} is not the file that was released."), name=member.name)
            (folder / member.name).write_bytes(body)
    missing = [name for name in wanted if not (folder / name).exists()]
    if missing:
        raise Problem("file-missing", N_("The release lacks {names}."), names=", ".join(missing))


def _fetched(payload: dict, wanted: dict) -> None:
    data = {
        "id": payload["release"],
        "agreement": payload["agreement"],
        "manifest": payload["manifest"],
        "sender": payload["sender"],
        "at": clock.iso(clock.now()),
    }
    ledger.record("release", payload["release"], data, status="received")
    ledger.note(
        f"release:{payload['release']}",
        "release.received",
        actor=payload["sender"],
        manifest=digest(payload["manifest"]),
    )
    site().path("releases", payload["release"], ".sealed").unlink(missing_ok=True)


jobs.job("fetch-release", finish=_fetched)(_fetch)


@post.receives("release.revoke")
def _on_revoke(message: post.Message) -> None:
    """The centre takes a release back: its files are deleted here, and it learns how often each was downloaded."""
    key = str(message.payload["release"])
    found = Record.objects.select_for_update().filter(kind="release", key=key).first()
    if found is None or found.data["sender"] != message.sender:
        raise Problem("not-the-centre", N_("Results come from the agreed centre only."))
    revoked = {"at": clock.iso(clock.now()), "reason": str(message.payload["reason"])[:2000]}
    ledger.record("release", key, {**found.data, "revoked": revoked}, status="revoked")
    ledger.note(f"release:{key}", "release.revoked", actor=message.sender, reason=revoked["reason"])
    jobs.queue("drop-release", key, {"release": key, "centre": message.sender})


def _drop(payload: dict) -> dict:
    folder = site().path("releases", payload["release"])
    for file in folder.iterdir() if folder.exists() else ():
        file.unlink()
    return {}


def _dropped(payload: dict, done: dict) -> None:
    body = {"release": payload["release"], "downloads": downloads(payload["release"])}
    post.send("release.revoked", body, to=payload["centre"], sealed=True)


jobs.job("drop-release", finish=_dropped)(_drop)


def downloads(release: str) -> dict[str, int]:
    """How often each file was downloaded here."""
    found = Record.objects.filter(kind="release-downloads", key=release).first()
    return dict(found.data) if found else {}


def download(release: str, name: str, person: str) -> bytes:
    """A released file, on record, and not more often than the manifest allows."""
    with transaction.atomic():
        found = Record.objects.select_for_update().filter(kind="release", key=release).first()
        if found and found.status == "revoked":
            raise Problem(
                "release-revoked", N_("The centre has taken this release back."), remedy=N_("Delete all copies.")
            )
        body, counts = file_of(release, name), downloads(release)
        most = found.data["manifest"].get("downloads") if found else None
        if most is not None and counts.get(name, 0) >= most:
            raise Problem(
                "download-limit",
                N_("This file was downloaded {most} times; more is not allowed."),
                remedy=N_("Use a copy that your organisation has, or ask the centre."),
                most=most,
            )
        counts[name] = counts.get(name, 0) + 1
        ledger.note(f"release:{release}", "release.downloaded", actor=person, file=name, count=counts[name])
        ledger.record("release-downloads", release, counts)
    return body


def file_of(release: str, name: str) -> bytes:
    """A released file, its hash checked once more."""
    found = Record.objects.filter(kind="release", key=release).first()
    listed = {each["name"]: each["sha256"] for each in found.data["manifest"]["files"]} if found else {}
    if name not in listed:
        raise Problem("no-file", N_("There is no released file {name}."), name=name)
    body = site().path("releases", release, name).read_bytes()
    if hashlib.sha256(body).hexdigest() != listed[name]:
        raise Problem("changed-file", N_("{name} is not the file that was released."), name=name)
    return body
