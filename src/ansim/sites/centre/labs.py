"""Interactive work: a notebook server for one member in one workspace, and who may come to it.

    open -> ended           why: by the member, idle, limit, no longer allowed, lost (the server or the centre died)

What the member left in /work is saved, sealed, each minute and at the end, and is there again next time. What went
through the door is counted and stands on the ledger when the session ends.
"""

import hashlib
import io
import os
import secrets
import tarfile
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.http.cookie import parse_cookie

from ansim.errors import N_, Problem
from ansim.sites import clock, people
from ansim.sites.centre import agreements, desk, packages, runs, vault, workspaces
from ansim.sites.centre.labdoor import Meter
from ansim.sites.centre.sandbox.run import PREFIX
from ansim.sites.centre.sandbox.session import LIMITS, Session, SessionSpec, unpack
from ansim.sites.config import site
from ansim.sites.store import ledger, worker
from ansim.sites.store.models import Record

KIND = "lab"
SAVE_SECONDS = 60.0


@dataclass
class Running:
    """A session of this process."""

    name: str
    agreement: str
    member: str
    session: Session
    static: Path
    meter: Meter = field(default_factory=Meter)
    touched: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    shown: str = ""  # digest of what was saved last

    @property
    def socket(self) -> Path:
        return self.session.socket


_running: dict[str, Running] = {}
_lock = threading.Lock()
# Sandboxes die with the thread that started them (PR_SET_PDEATHSIG), so one thread that lives as long as the site does.
_starter = ThreadPoolExecutor(1, "notebook-starter")


def offered() -> bool:
    """Whether this centre offers interactive work at all."""
    return bool(lab_port()) and packages.ready() and (packages.place() / "jupyterlab").is_dir()


def lab_port() -> int:
    return int(site().options.get("lab_port", 0))


def of(key: str, member: str = "") -> list[dict]:
    """Sessions of a workspace, the newest first; of one member where named."""
    found = Record.objects.filter(kind=KIND, data__agreement=key).order_by("-updated")
    return [each.data for each in found if member in ("", each.data["by"])]


def current(key: str, member: str) -> dict | None:
    return next((data for data in of(key, member) if data["status"] == "open"), None)


def start(key: str, member: str) -> str:
    """Open a session, or find the one that is open; gives its name."""
    agreements.admit(key, member, "lab")
    if not workspaces.readable(workspaces.get(key)):
        raise Problem("not-open", N_("No data have been admitted to this workspace yet."))
    with _lock:
        if (held := current(key, member)) and held["id"] in _running:
            return held["id"]
        if len(_running) >= int(site().options.get("lab_sessions", 4)):
            raise Problem(
                "lab-full",
                N_("All places for interactive work are taken."),
                remedy=N_("Try again later, or run a script."),
            )
        name = f"lab-{secrets.token_hex(8)}"
        work = _clean(_last(key, member))
        with vault.opened(key) as space:
            staging = vault.memory()
            spec = SessionSpec(space / "data", packages.folder(), f"/s/{name}/", work, staging_root=staging)
            session = _starter.submit(Session, spec).result(60)
        running = Running(name, key, member, session, packages.folder())
        try:
            with transaction.atomic():
                ledger.note(f"lab:{name}", "lab.opened", actor=member, agreement=key)
                data = {
                    "id": name,
                    "agreement": key,
                    "by": member,
                    "status": "open",
                    "isolation": session.isolation,
                }
                ledger.record(KIND, name, data | {"opened": clock.iso(clock.now())}, status="open")
        except BaseException:
            running.session.stop()
            raise
        _running[name] = running
    return name


def enter(cookies: str, name: str, address: str = "") -> Running:
    """The session, if the person of these cookies may be in it at this moment. Raises Problem: one and the same."""
    running = _running.get(name)
    user = person(cookies)
    no = Problem("no-access", N_("This workspace is not open to you now."))
    if running is None or user is None or "researcher" not in people.roles(user):
        raise no
    member = agreements.member_of(user.get_username(), agreements.terms(running.agreement))
    if member != running.member or agreements.not_admitted(running.agreement, member):
        raise no
    if desk.refusals(member, running.agreement, address):
        raise no
    running.touched = time.monotonic()
    return running


def person(cookies: str) -> Any:
    """The account that a browser's cookies are signed in as, or nothing."""
    from django.conf import settings

    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    user = get_user(SimpleNamespace(session=SessionStore(key)))  # type: ignore[arg-type]
    return user if user.is_authenticated and user.is_active else None


def place(key: str, member: str) -> Path:
    """Where a member's work folder lies, sealed."""
    return workspaces.folder(key, "lab", f"{hashlib.sha256(member.encode()).hexdigest()[:24]}.sealed")


def _last(key: str, member: str) -> bytes:
    """The work folder as it was left, a tar of the sandbox's making, or nothing."""
    sealed = place(key, member)
    return vault.unseal(key, sealed) if sealed.exists() else b""


def _in_memory() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=vault.memory())


def _clean(work: bytes) -> bytes:
    """Only plain files with plain names go back in."""
    if not work:
        return b""
    held = io.BytesIO()
    with _in_memory() as folder, tarfile.open(fileobj=held, mode="w") as archive:
        for file in unpack(work, Path(folder))[0]:
            archive.add(Path(folder) / file, file, recursive=False)
    return held.getvalue()


def save(running: Running) -> bool:
    """Seal what is in the work folder now; False when the sandbox did not give it."""
    work = running.session.save()
    running.saved = time.monotonic()
    if work is None:
        return False
    digest_of = hashlib.sha256(work).hexdigest()
    if digest_of != running.shown:
        vault.seal(running.agreement, place(running.agreement, running.member), work)
        running.shown = digest_of
    return True


def stop(name: str, why: str, *, keep: bool = True) -> None:
    """End a session: save, kill, put on record. keep: False where nothing may be written any more (a freeze)."""
    with _lock:
        running = _running.pop(name, None)
    if running is not None:
        try:
            saved = keep and save(running)
        finally:
            running.session.stop()
        _ended(name, why, {**asdict(running.meter), "saved": saved})
    else:
        _ended(name, "lost", {})


def _ended(name: str, why: str, figures: dict) -> None:
    with transaction.atomic():
        found = Record.objects.select_for_update().filter(kind=KIND, key=name, status="open").first()
        if found is None:
            return
        ledger.note(f"lab:{name}", "lab.ended", actor=found.data["by"], why=why, **figures)
        data = {**found.data, "status": "ended", "why": why, "ended": clock.iso(clock.now()), "figures": figures}
        ledger.record(KIND, name, data, status="ended")


def stop_all(key: str, why: str, *, keep: bool = False) -> int:
    """End every session of a workspace; gives their number."""
    names = [data["id"] for data in of(key) if data["status"] == "open"]
    for name in names:
        stop(name, why, keep=keep)
    return len(names)


@worker.beat("labs", lambda: 2.0)
def look() -> None:
    """End what may not go on, save what changed, and put on record what a crash ended."""
    for found in Record.objects.filter(kind=KIND, status="open"):
        running = _running.get(found.key)
        if running is None or not running.session.running() or running.session.overfull():
            stop(found.key, "lost", keep=False)
        elif agreements.not_admitted(running.agreement, running.member):
            stop(found.key, "no longer allowed", keep=False)
        elif time.monotonic() - running.touched > float(site().options.get("lab_idle_seconds", 1800)):
            stop(found.key, "idle")
        elif time.monotonic() - running.began > LIMITS.wall:
            stop(found.key, "limit")
        elif time.monotonic() - running.saved > SAVE_SECONDS:
            save(running)


def hand_in(key: str, member: str) -> str:
    """What lies in /work/out becomes the files of a run, from which release is asked as for any run. Gives its name."""
    agreements.admit(key, member, "lab")
    held = current(key, member)
    if held and (running := _running.get(held["id"])):
        save(running)
    work = _last(key, member)
    name = f"run-{secrets.token_hex(6)}"
    final = workspaces.folder(key, "runs", name)
    with _in_memory() as folder:
        files, refused = unpack(work, Path(folder)) if work else ((), ())
        out = sorted(file.removeprefix("out/") for file in files if file.startswith("out/"))
        if not out:
            raise Problem(
                "nothing-out",
                N_("There are no files in /work/out."),
                remedy=N_("Save in the notebook what should leave, in the folder out."),
            )
        listed = runs.sealed(key, Path(folder) / "out", final, out)
    now = clock.iso(clock.now())
    books = sorted(file for file in files if file.endswith(".ipynb"))
    note = "\n".join(["# Files handed in from interactive work", *(f"# {book}" for book in books)])
    data = {
        "id": name,
        "agreement": key,
        "by": member,
        "title": "JupyterLab",
        "script": ledger.keep_bytes(note.encode(), "script", "text/x-python"),
        "language": "python",
        "status": "done",
        "parts": workspaces.readable(workspaces.get(key)),
        "asked": now,
        "ended": now,
        "stdout": "",
        "stderr": "",
        "files": listed,
        "refused": [asdict(each) for each in refused],
        "isolation": held["isolation"] if held else {},
        "seconds": 0,
        "exit_code": 0,
        "text_truncated": False,
    }
    with transaction.atomic():
        ledger.note(f"run:{name}", "lab.handed-in", actor=member, agreement=key, files=out)
        ledger.record("run", name, data, status="done")
    return name
