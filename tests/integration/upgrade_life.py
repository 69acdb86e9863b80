"""The first release's database under today's software, on SQLite or PostgreSQL.

Run by itself (test_upgrade.py): `python upgrade_life.py FOLDER [POSTGRES-URL]`.
"""

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import back_rooms

FIRST = Path(__file__).parents[1] / "fixtures" / "first_release" / "site.sql"
WORLD = back_rooms.World(Path(sys.argv[1]), "hospital-a")
TABLES = (
    "auth_group", "auth_user", "auth_user_groups", "ledger_event", "store_ledgerhead", "ledger_checkpoint",
    "store_record", "store_document", "store_job", "store_seen", "store_counter", "store_notice", "store_mail",
)  # fmt: skip


def first_release() -> dict[str, list[dict]]:
    """{table: rows} of the database that the first release left behind."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(FIRST.read_text("utf-8"))
        database.row_factory = sqlite3.Row
        return {table: [dict(row) for row in database.execute(f"SELECT * FROM {table}")] for table in TABLES}


def lay(rows: dict[str, list[dict]]) -> None:
    """The database as it was then: the file itself, or its rows under the first migration."""
    from django.core.management import call_command
    from django.db import connection

    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(WORLD.folder / "site.sqlite3")) as database:
            database.executescript(FIRST.read_text("utf-8"))
        return
    for app, name in (("auth", None), ("sessions", None), ("store", "0001")):
        call_command("migrate", app, *([name] if name else []), verbosity=0)
    with connection.cursor() as cursor:
        for table, held in rows.items():
            cursor.execute(
                f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}'"
            )
            kinds = dict(cursor.fetchall())
            for row in held:
                values = [bool(value) if kinds[name] == "boolean" else value for name, value in row.items()]
                names, marks = ", ".join(f'"{name}"' for name in row), ", ".join(["%s"] * len(row))
                cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
            if "id" in kinds and table != "store_ledgerhead":  # its numbers go on after those
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id) + 1) FROM {table}")


def compared(rows: dict[str, list[dict]]) -> None:
    """Every row and every value of then is there; the ledger is the one whose head was signed then."""
    from django.db import connection

    from ansim.governance.ledger import tree
    from ansim.sites.store.models import Checkpoint, Document, Event, Job, Seen

    with connection.cursor() as cursor:
        for table, held in rows.items():
            cursor.execute(f"SELECT count(*) FROM {table}")
            more = 1 if table == "store_record" else 0  # which software has run here
            assert cursor.fetchone()[0] == len(held) + more, table
    head = Checkpoint.objects.get()
    assert tree.root([bytes.fromhex(leaf) for leaf in Event.objects.values_list("leaf", flat=True)]).hex() == head.root
    assert json.loads(bytes(Document.objects.get(kind="note").body)) == {"ansim": "note/1", "text": "kept"}
    jobs = {row["key"]: json.loads(row["payload"]) for row in rows["store_job"]}
    assert {job.key: job.payload for job in Job.objects.all()} == jobs
    assert len(jobs) >= 2
    assert {seen.seq for seen in Seen.objects.all()} == {0}  # numbers were not kept then


def acting() -> None:
    """Today's site goes on: it appends to that ledger and sends what was waiting."""
    from ansim.sites.exchange import post
    from ansim.sites.store import jobs, ledger
    from ansim.sites.store.models import Event, Job

    size = Event.objects.count()
    ledger.note("exchange", "after.upgrade")
    assert Event.objects.order_by("-seq").first().seq == size
    waiting = Job.objects.filter(kind="send").count()
    post.send("thread.message", {"id": "req-1", "text": "after", "by": "x"}, to="company-x")
    assert Job.objects.filter(kind="send").count() == waiting + 1
    assert jobs.take(["send"]) is not None


def refused() -> None:
    """A database of a later software: refused, unless it differs by a patch only."""
    from django.db.migrations.recorder import MigrationRecorder

    from ansim.sites.operate import upgrade
    from ansim.sites.store.models import Record

    MigrationRecorder.Migration.objects.create(app="store", name="9999_of_the_future")
    major, small = upgrade.minor(upgrade.SOFTWARE)
    outcomes = {}
    for version in (f"{major}.{small}.99", f"{major}.{small + 1}.0", f"{major + 1}.0.0"):
        Record.objects.filter(kind="software").update(data={"version": version})
        assert upgrade.plan()["unknown"] == ["store 9999_of_the_future"]
        outcomes[version] = code_of(upgrade.run)
        assert upgrade.plan()["from"] == version  # it does not forget that a later one has run
    assert list(outcomes.values()) == ["", "database-newer", "database-newer"]


def code_of(act) -> str:
    from ansim.errors import Problem

    try:
        act()
    except Problem as problem:
        return problem.code
    return ""


def main() -> None:
    if len(sys.argv) > 2:
        file = WORLD.folder / "site.toml"
        text = file.read_text("utf-8")
        file.write_text(text.replace("\nid = ", f'\ndatabase = "{sys.argv[2]}"\nid = ', 1), "utf-8")
    rows = first_release()
    from ansim.sites.keeper import client as key_process

    keeper = key_process.start(WORLD.folder)
    try:
        from ansim.sites import asgi

        asgi.load_kind()
        from ansim.sites.operate import upgrade

        lay(rows)
        found = upgrade.plan()
        assert found["from"] == ""
        assert found["pending"][0].startswith("store 0002")
        assert upgrade.plan() == found, "looking changes nothing"
        upgrade.run()
        assert upgrade.plan()["pending"] == []
        compared(rows)
        acting()
        refused()
    finally:
        key_process.end(keeper)


if __name__ == "__main__":
    os.umask(0o077)
    main()
