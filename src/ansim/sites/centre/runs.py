"""Researchers' scripts, run in the sandbox on the admitted extract. What they make stays here until it is checked."""

import hashlib
import secrets
import shutil
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.centre import agreements, bringing, packages, vault, workspaces
from ansim.sites.centre.sandbox import Limits, SandboxJob, languages, run
from ansim.sites.config import site
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

MOST_SCRIPT = 200_000
_cancels: dict[str, threading.Event] = {}
_room = threading.Semaphore(max(1, site().workers - 1))  # one worker is always left for messages


def get(key: str, name: str) -> dict:
    """A run of this workspace."""
    found = Record.objects.filter(kind="run", key=name, data__agreement=key).first()
    if found is None:
        raise Problem("no-run", N_("There is no such run in this workspace."))
    return found.data


def of(key: str) -> list[dict]:
    return [found.data for found in Record.objects.filter(kind="run", data__agreement=key).order_by("-updated")]


def start(key: str, member: str, script: str, title: str, language: str = "python") -> str:
    """Queue a script of a member; gives the run's name."""
    agreements.admit(key, member, "run")
    space = workspaces.get(key)
    if not workspaces.readable(space):
        raise Problem("not-open", N_("No data have been admitted to this workspace yet."))
    if not script.strip() or len(script) > MOST_SCRIPT:
        raise Problem(
            "script", N_("A script has at least one and at most {most} characters."), where="script", most=MOST_SCRIPT
        )
    if language not in languages.available():
        raise Problem("no-language", N_("Scripts in {language} do not run here."), where="language", language=language)
    name = f"run-{secrets.token_hex(6)}"
    with transaction.atomic():
        code = ledger.keep_bytes(script.encode(), "script", "text/x-python")
        data = {
            "id": name,
            "agreement": key,
            "by": member,
            "title": title[:200],
            "script": code,
            "language": language,
            "status": "queued",
            "parts": workspaces.readable(space),
            "asked": clock.iso(clock.now()),
            "stdout": "",
            "stderr": "",
            "files": [],
            "refused": [],
            "isolation": {},
            "seconds": 0,
            "exit_code": None,
            "text_truncated": False,
        }
        ledger.note(f"run:{name}", "run.asked", actor=member, agreement=key, script=code)
        ledger.record("run", name, data, status="queued")
        jobs.queue("run", name, {"run": name, "agreement": key})
    return name


def cancel(key: str) -> None:
    """Stop what runs in a workspace that closes."""
    for data in of(key):
        if event := _cancels.get(data["id"]):
            event.set()


def place(key: str, name: str) -> Path:
    return workspaces.folder(key, "runs", name)


def sealed(key: str, made: Path, target: Path, names: Iterable[str]) -> list[dict]:
    """Seal the files of a run; give {name, sha256, size} of what they hold."""
    target.mkdir(parents=True, exist_ok=True)
    listed = []
    for name in sorted(names):
        body = (made / name).read_bytes()
        vault.seal(key, target / name, body)
        listed.append({"name": name, "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)})
    return listed


def _run(payload: dict) -> dict[str, Any]:
    key, name = payload["agreement"], payload["run"]
    try:
        agreements.require_in_force(key)
        data = get(key, name)
    except Problem as problem:
        return {"status": "refused", "stderr": str(problem)}
    if not packages.ready():
        raise jobs.Later(1.0, "the packages are being prepared", counts=False)
    final = place(key, name)
    work = final.with_name(f".{name}")
    shutil.rmtree(work, ignore_errors=True)
    (work / "code").mkdir(parents=True)
    script = f"main{languages.ENDING[data.get('language', 'python')]}"
    (work / "code" / script).write_bytes(ledger.document_bytes(data["script"]))
    try:
        bringing.offer(key, work / "code")
    except Problem as problem:
        return {"status": "refused", "stderr": str(problem)}
    limits = Limits(wall=float(site().options.get("run_seconds", 300)))
    stop = _cancels.setdefault(name, threading.Event())
    if not _room.acquire(blocking=False):
        raise jobs.Later(0.5, "another script is running", counts=False)
    try:
        with vault.opened(key) as space:
            data_folder, staging = space / "data", vault.memory()
            out = space / "out"
            job = SandboxJob(work / "code", data_folder, out, script, packages.folder(), limits, staging_root=staging)
            found = run(job, stop)
            files = sealed(key, out, work / "out", found.files)
    except Problem as problem:
        return {"status": "failed", "stderr": str(problem)}
    finally:
        _room.release()
        _cancels.pop(name, None)
    shutil.rmtree(final, ignore_errors=True)
    (work / "out").rename(final)
    shutil.rmtree(work)
    return {
        "status": found.status,
        "exit_code": found.exit_code,
        "seconds": round(found.seconds, 2),
        "stdout": found.stdout,
        "stderr": found.stderr,
        "text_truncated": found.text_truncated,
        "files": files,
        "refused": [asdict(each) for each in found.refused],
        "isolation": found.isolation,
    }


def _ran(payload: dict, found: dict) -> None:
    key, name = payload["agreement"], payload["run"]
    if workspaces.get(key)["status"] == "closed":
        workspaces.wipe(place(key, name))
        return
    data = {**get(key, name), **found, "ended": clock.iso(clock.now())}
    facts = {
        "status": data["status"],
        "files": [{"name": file["name"], "sha256": file["sha256"]} for file in data["files"]],
        "stdout": hashlib.sha256(data["stdout"].encode()).hexdigest(),
        "isolation": data["isolation"],
    }
    ledger.note(f"run:{name}", "run.ended", **facts)
    ledger.record("run", name, data, status=data["status"])


jobs.job("run", finish=_ran)(_run)
