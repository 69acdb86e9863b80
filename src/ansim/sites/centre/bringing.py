"""The import airlock: a member's files wait outside the room until a scan and a second person have let them in.

Admitted files lie beside each later script of the workspace, in /code/brought, read-only. A wheel in plain Python is
imported from where it lies: `sys.path.insert(0, "/code/brought/NAME.whl")`.
"""

import hashlib
import secrets
import shutil
from pathlib import Path
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance.incoming import Bring, Decide, RecordScan, incoming
from ansim.privacy.airlock.incoming import MOST_BYTES, check_incoming
from ansim.sites.centre import agreements, workspaces
from ansim.sites.centre.sandbox.collect import name_problem
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

NOTES = "incoming-check"
MOST_FILES = 20


def get(key: str, name: str) -> dict:
    found = Record.objects.filter(kind="incoming", key=name, data__project=key).first()
    if found is None:
        raise Problem("no-incoming", N_("There is no such import."))
    return found.data


def notes(name: str) -> list[dict]:
    found = Record.objects.filter(kind=NOTES, key=name).first()
    return found.data["findings"] if found else []


def of(key: str) -> list[Record]:
    return list(Record.objects.filter(kind="incoming", data__project=key).order_by("-updated"))


def place(key: str, name: str) -> Path:
    return workspaces.folder(key, "incoming", name)


def bring(key: str, member: str, bodies: dict[str, bytes], purpose: str) -> str:
    """A member brings files; gives the name of the request."""
    terms = agreements.admit(key, member, "import")
    if len(bodies) > MOST_FILES or sum(map(len, bodies.values())) > 2 * MOST_BYTES:
        raise Problem("too-many-files", N_("At most {most} files come in at once."), where="files", most=MOST_FILES)
    for file in bodies:
        if "/" in file or name_problem(file):
            raise Problem("file-name", N_("{name} is no name for a file here."), where="files", name=ascii(file)[1:80])
    name = f"in-{secrets.token_hex(6)}"
    files = [
        {"name": file, "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)} for file, body in bodies.items()
    ]
    members = [each["id"] for each in terms["members"]]
    with transaction.atomic():
        command = Bring(by=member, project=key, members=members, files=files, purpose=purpose)
        ledger.execute(incoming, name, command, actor=member)
        folder = place(key, name)
        folder.mkdir(parents=True)
        for file, body in bodies.items():
            (folder / file).write_bytes(body)
        jobs.queue("scan-incoming", name, {"incoming": name, "agreement": key})
    return name


def _scan(payload: dict) -> dict[str, Any]:
    name, key = payload["incoming"], payload["agreement"]
    found = []
    for file in get(key, name)["files"]:
        for each in check_incoming(file["name"], (place(key, name) / file["name"]).read_bytes()):
            level = "refuse" if each.refuses else "look"
            found.append({"file": file["name"], "level": level, "code": each.rule, **each.as_data()})
    return {"findings": found}


def _scanned(payload: dict, found: dict) -> None:
    """On the ledger which rule in which file; the places and texts stay off it."""
    name, key = payload["incoming"], payload["agreement"]
    if get(key, name)["status"] != "submitted":
        return
    short = [{part: each[part] for part in ("file", "level", "code")} for each in found["findings"]]
    once = [dict(pairs) for pairs in dict.fromkeys(tuple(each.items()) for each in short)]
    state = ledger.execute(incoming, name, RecordScan(by="checks", findings=once), actor="checks")
    ledger.record(NOTES, name, found)
    if state.status == "refused":  # it may hold identities: nobody needs it any more
        transaction.on_commit(lambda: workspaces.wipe(place(key, name)))


jobs.job("scan-incoming", finish=_scanned)(_scan)


def decide(key: str, name: str, person: str, *, admit: bool, reason: str) -> dict:
    """The second person's word; what was refused is deleted."""
    data = get(key, name)
    terms = agreements.require_in_force(key)
    second = agreements.member_of(person, terms)
    folder = place(key, name)
    lying = sorted(folder.iterdir()) if folder.exists() else []  # what was refused is gone
    there = [{"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()} for file in lying]
    with transaction.atomic():
        command = Decide(by=second, admit=admit, reason=reason, files=there)
        state = ledger.execute(incoming, name, command, actor=second)
        if not admit:
            transaction.on_commit(lambda: workspaces.wipe(folder))
    return {**data, **state.as_data()}


def offer(key: str, code: Path) -> None:
    """Put every admitted file beside a script, if it is still what was admitted; the newest of a name counts."""
    for record in reversed(of(key)):
        if record.status != "admitted":
            continue
        (code / "brought").mkdir(exist_ok=True)
        for file in record.data["files"]:
            source = place(key, record.key) / file["name"]
            if hashlib.sha256(source.read_bytes()).hexdigest() != file["sha256"]:
                raise Problem("files-changed", N_("The files are not the ones that were checked."), where=file["name"])
            shutil.copyfile(source, code / "brought" / file["name"])
