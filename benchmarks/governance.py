"""Governance at size: 3,000 applications with 72,000 events. Rebuilding all projections, pages of the portal with that
much data, and commands a second with eight writers. `--postgres` runs all on PostgreSQL (Debian's), with fsync on.

    python benchmarks/governance.py [--applications 3000] [--postgres] [--writers 8]

Processor seconds where others share the machine would distort the clock; commands a second are by the clock.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from ansim.demo.nation import Nation

STATES = ("asked", "replied", "received", "screening", "board", "approved", "agreement", "preparing", "open")
EVENTS = 24  # an application, as in the peer's figure
HOLDERS = ("hospital-a", "hospital-b", "hospital-c", "public-body")
AREAS = ("sinusitis", "diabetes", "stroke", "lung-cancer", "copd")
PAGES = ("/requests/", "/requests/req-{n}/", "/oversight/", "/register/", "/catalogue/", "/oversight/stages.csv")
LOOKS = 40  # of each page


def fill(applications: int) -> int:
    """Applications as the portal would have recorded them: each submitted, then moved by what hospitals report."""
    from ansim.governance.application import Application, Report, Submit, application
    from ansim.sites import clock
    from ansim.sites.store import ledger
    from ansim.sites.store.models import Record

    events, made = 0, []
    for number in range(applications):
        key, chosen = f"req-{number}", [HOLDERS[number % 4], HOLDERS[(number + 1) % 4]]
        if number % 100 == 0:
            clock.move(timedelta(days=number / 100).total_seconds())
        now = clock.now()
        title, area = {"ko": f"연구 {number}", "en": f"Study {number}"}, AREAS[number % len(AREAS)]
        digest = f"{number:064x}"
        submit = Submit(
            by="company-x", id=key, applicant="company-x", title=title, areas=[area], digest=digest,
            signature={"key": "k", "digest": digest}, holders=dict.fromkeys(chosen, "2027-01-01"),
        )  # fmt: skip
        commands = [submit]
        for step in range(EVENTS - 1):
            commands.append(
                Report(by=chosen[step % 2], reported=STATES[(step // 2) % len(STATES)], waiting_on="board secretary",
                       since=clock.iso(now), due="2027-01-01", holder_version=step)
            )  # fmt: skip
        state, rows = Application(), []
        for command in commands:
            for event in application.decide(state, command, now):
                state = application.evolve(state, event)
                rows.append((event.type, event.data()))
        ledger.append(f"application:{key}", rows, actor="company-x")
        moved = [("request.opened", {"holders": chosen})]
        moved += [("review.moved", {"status": each.reported, "waiting_on": each.waiting_on}) for each in commands[1:4]]
        ledger.append(f"request:{key}", moved, actor=chosen[0])
        events += len(rows)
        data = {
            "id": key, "title": title, "areas": [area], "organisation": "company-x", "person": "kim",
            "opened": clock.iso(now), "application": f"app-{number}", "holders": state.holders,
        }  # fmt: skip
        updated = clock.iso(now)
        stored = {"status": state.status, "data": state.as_data(), "version": state.version}
        made.append(Record(kind="application", key=key, updated=updated, **stored))
        made.append(Record(kind="request", key=key, status="applied", data=data, updated=updated))
    Record.objects.bulk_create(made, batch_size=500)
    return events


def rebuilt(applications: int) -> dict:
    """Every projection anew, and whether it equals what was stored before; a wrong one is found (control)."""
    from ansim.sites.store import rebuild
    from ansim.sites.store.models import Record

    Record.objects.filter(kind="application", key="req-7").update(status="closed", data={"status": "closed"})
    found = rebuild.differing()
    clock_, cpu = time.perf_counter(), time.process_time()
    count = rebuild.rebuild()
    spent = {"seconds": time.perf_counter() - clock_, "processor_seconds": time.process_time() - cpu}
    return {"records": count, **spent, "altered_found": found == [("application", "req-7")],
            "equal_after": rebuild.differing() == []}  # fmt: skip


def pages(applications: int) -> dict:
    """p50 and p95 in milliseconds of processor time of each page, as the coordinator sees it."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(SERVER_NAME="localhost", headers={"accept-language": "ko"})
    client.force_login(User.objects.get(username="coordinator"))
    found = {}
    for page in PAGES:
        spent = []
        for number in range(LOOKS + 1):
            began = time.process_time()
            answer = client.get(page.format(n=number * 7 % applications))
            spent.append((time.process_time() - began) * 1000)
            assert answer.status_code == 200, (page, answer.status_code)
        first, *rest = spent
        found[page] = {"first": round(first, 1), "p50": round(statistics.median(rest), 1),
                       "p95": round(statistics.quantiles(rest, n=20)[-1], 1)}  # fmt: skip
    return found


def write(writer: int, commands: int) -> None:
    """One of the writers: commands on applications of its own, each its own transaction."""
    from ansim.governance.application import Report, Submit, application
    from ansim.sites.store import ledger

    for number in range(commands):
        key = f"w{writer}-{number // 10}"
        if number % 10 == 0:
            digest = f"{writer:032x}{number:032x}"
            command = Submit(
                by="c", id=key, applicant="c", title={"ko": "가", "en": "a"}, areas=["copd"], digest=digest,
                signature={"key": "k", "digest": digest}, holders={"hospital-a": "2027-01-01"},
            )  # fmt: skip
        else:
            command = Report(by="hospital-a", reported=STATES[number % 9], waiting_on="", since="", due="",
                             holder_version=number)  # fmt: skip
        ledger.execute(application, key, command, actor="bench")


def writing(writers: int, commands: int) -> dict:
    """Commands a second of several processes at once; none lost, none doubled."""
    from ansim.sites.store.models import Event, LedgerHead

    before = LedgerHead.objects.get(id=1).size
    own, pipe = [sys.executable, __file__, "--writer"], subprocess.PIPE
    running = [
        subprocess.Popen([*own, str(number), "--commands", str(commands)], stdin=pipe, stdout=pipe, text=True)
        for number in range(writers)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"  # Django is up: what follows is writing only
    began = time.perf_counter()
    for process in running:
        assert process.stdin is not None
        process.stdin.close()
    assert all(process.wait() == 0 for process in running)
    spent = time.perf_counter() - began
    size = LedgerHead.objects.get(id=1).size
    rows = Event.objects.filter(seq__gte=before)
    assert size - before == writers * commands == rows.values("stream", "version").distinct().count()
    return {"writers": writers, "commands": size - before, "seconds": round(spent, 2),
            "per_second": round((size - before) / spent)}  # fmt: skip


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A fresh cluster on a Unix socket, durable as it comes (fsync on); gives its address for site.toml."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    folder = Path(tempfile.mkdtemp(prefix="ansim-pg-"))
    who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
    if who:
        shutil.chown(folder, "nobody", "nogroup")

    def run(*command: object) -> None:
        subprocess.run([str(each) for each in command], check=True, cwd=folder, stdout=subprocess.DEVNULL, **who)

    run(programs / "initdb", "-D", folder / "data", "-U", "ansim", "-A", "trust", "-E", "UTF8", "--locale=C")
    options = "-c listen_addresses='127.0.0.1' -c port=54999 -c unix_socket_directories=''"
    run(programs / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield "postgresql://ansim@127.0.0.1:54999/postgres"
    finally:
        run(programs / "pg_ctl", "-D", folder / "data", "-w", "-m", "fast", "stop")
        shutil.rmtree(folder)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--applications", type=int, default=3000)
    asked.add_argument("--writers", type=int, default=8)
    asked.add_argument("--commands", type=int, default=100)
    asked.add_argument("--postgres", action="store_true")
    asked.add_argument("--writer", type=int)
    given = asked.parse_args()
    if given.writer is not None:
        from ansim.sites import asgi  # noqa: F401 - sets Django up for the folder in the environment

        print("ready", flush=True)
        sys.stdin.read()  # until the starter closes it
        write(given.writer, given.commands)
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ansim-bench-")))
        nation = Nation(folder)
        nation.found()
        hub = nation.site("hub")
        if given.postgres:
            address = stack.enter_context(postgres())
            text = (hub / "site.toml").read_text("utf-8")
            (hub / "site.toml").write_text(f'database = "{address}"\n{text}', "utf-8")
        os.environ |= {"ANSIM_SITE": str(hub), "ANSIM_PASSPHRASE_FILE": str(nation.passphrase_file("hub"))}
        from ansim.sites.serve import prepare

        prepare(hub)
        began = time.process_time()
        events = fill(given.applications)
        result = {
            "database": "PostgreSQL" if given.postgres else "SQLite",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared with other work",
            "applications": given.applications,
            "events": events,
            "fill_processor_seconds": round(time.process_time() - began, 1),
            "rebuild": rebuilt(given.applications),
            "pages_ms": pages(given.applications),
            "writing": writing(given.writers, given.commands),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
