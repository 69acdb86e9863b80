"""Stage 14: the ledgers and their witnesses, verified by the separate program; and copies with something changed."""

import json
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansim.demo.journey.promises import until
from ansim.demo.journey.world import Journey, Stage
from ansim.demo.nation import PLACES
from ansim.governance.ledger.entry import canonical, commitment
from ansim.governance.ledger.verify import SiteReport
from ansim.governance.ledger.verify import verify as verify_ledgers

SITES = [place.id for place in PLACES]


def verify(journey: Journey) -> str:
    """All sites as they are; then each site's copy with an entry changed, dropped, put elsewhere, or added."""
    directory = journey.nation.folder / "directory.json"
    until(lambda: _all_witnessed(journey), 120, "witnesses for every site's entries")
    command = [sys.executable, "-m", "ansim.governance.ledger.verify", "--json", "--directory", str(directory)]
    command += [str(journey.folder(site)) for site in SITES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    broken = {site["site"]: site["findings"] for site in found["sites"] if site["findings"]}
    journey.promise(
        "the separate program finds every site's ledger and witnessed heads in order",
        done.returncode == 0 and not broken,
        broken,
    )
    entries = sum(site["entries"] for site in found["sites"])
    journey.promise(
        "every site's entries are witnessed by others",
        all(len(site["witnesses"]) >= 1 and site["witnessed"] for site in found["sites"]),
        {s["site"]: s["witnessed"] for s in found["sites"]},
    )
    caught = 0
    with tempfile.TemporaryDirectory(prefix="ansim-ledgers-") as temporary:
        copies = Path(temporary)
        _copy_all(journey, copies)
        for site in SITES:
            witnessed = verify_ledgers([copies / site], directory).sites[0].witnessed
            for name, tamper in TAMPERED.items():
                journey.tell(f"{site}: {name}")
                report = _with(copies / site, tamper, witnessed, directory)
                journey.promise(
                    f"{site}: {name} is found", report.findings, [each.code for each in report.findings][:4]
                )
                caught += bool(report.findings)
            report = _with(copies / site, _tail, witnessed, directory)
            late = report.unwitnessed_since and report.unwitnessed_since["seq"] <= report.entries - 1
            journey.promise(
                f"{site}: a later tail shows as unwitnessed", late and not report.findings, report.unwitnessed_since
            )
    tried = len(SITES) * len(TAMPERED)
    return f"{entries:,} entries of {len(SITES)} ledgers hold; {caught} of {tried} changes in copies were found"


def _all_witnessed(journey: Journey) -> bool:
    report = verify_ledgers([journey.folder(site) for site in SITES], journey.nation.folder / "directory.json")
    return all(site.witnessed > 5 for site in report.sites)


def _copy_all(journey: Journey, target: Path) -> None:
    for site in SITES:
        (target / site).mkdir()
        shutil.copyfile(journey.folder(site) / "site.toml", target / site / "site.toml")
        source = sqlite3.connect(f"file:{journey.folder(site)}/site.sqlite3?mode=ro", uri=True, timeout=30)
        copy = sqlite3.connect(target / site / "site.sqlite3")
        source.backup(copy)
        source.close()
        copy.close()


def _with(copy: Path, tamper: Callable[[sqlite3.Connection, int], None], witnessed: int, directory: Path) -> SiteReport:
    """The report about a site after its copy was tampered with; the copy is put right again."""
    file = copy / "site.sqlite3"
    kept = file.read_bytes()
    con = sqlite3.connect(file)
    try:
        tamper(con, witnessed)
        con.commit()
    finally:
        con.close()
    try:
        return verify_ledgers([copy], directory).sites[0]
    finally:
        for extra in copy.glob("site.sqlite3-*"):
            extra.unlink()
        file.write_bytes(kept)


def _change(con: sqlite3.Connection, witnessed: int) -> None:
    """Change what an entry says, and its leaf with it, as an insider would."""
    seq = witnessed // 2
    row = con.execute(
        "SELECT stream, version, type, at, actor, data, salt FROM ledger_event WHERE seq = ?", [seq]
    ).fetchone()
    stream, version, kind, at, actor, data, salt = row
    changed = {**json.loads(data), "changed": True}
    fields = {"stream": stream, "version": version, "type": kind, "at": at, "actor": actor}
    leaf = commitment(salt=_bytes(salt), data=changed, **fields)
    con.execute(
        "UPDATE ledger_event SET data = ?, leaf = ? WHERE seq = ?", [canonical(changed).decode(), _as(leaf, salt), seq]
    )


def _drop(con: sqlite3.Connection, witnessed: int) -> None:
    """Take an entry out and close the gap."""
    seq = witnessed // 2
    con.execute("DELETE FROM ledger_event WHERE seq = ?", [seq])
    con.execute("UPDATE ledger_event SET seq = -seq WHERE seq > ?", [seq])
    con.execute("UPDATE ledger_event SET seq = -seq - 1 WHERE seq < 0")


def _reorder(con: sqlite3.Connection, witnessed: int) -> None:
    """Put two entries into each other's place."""
    one, other = witnessed // 2, witnessed // 2 + 1
    con.execute("UPDATE ledger_event SET seq = -1 WHERE seq = ?", [one])
    con.execute("UPDATE ledger_event SET seq = ? WHERE seq = ?", [one, other])
    con.execute("UPDATE ledger_event SET seq = ? WHERE seq = -1", [other])


def _cut(con: sqlite3.Connection, witnessed: int) -> None:
    """Leave out the newest witnessed entries."""
    con.execute("DELETE FROM ledger_event WHERE seq >= ?", [witnessed - 2])


def _tail(con: sqlite3.Connection, witnessed: int) -> None:
    """Go on as the site itself would: a whole new entry that nobody has witnessed."""
    last, salt_form = con.execute("SELECT max(seq), salt FROM ledger_event").fetchone()
    salt, data = secrets.token_bytes(32), {"late": True}
    fields: dict[str, Any] = {
        "stream": f"late:{secrets.token_hex(4)}",
        "version": 0,
        "type": "late.entry",
        "at": _now(con),
        "actor": "x",
    }
    leaf = commitment(salt=salt, data=data, **fields)
    columns = {
        "seq": last + 1,
        **fields,
        "data": canonical(data).decode(),
        "salt": _as(salt, salt_form),
        "leaf": _as(leaf, salt_form),
    }
    names = [row[1] for row in con.execute("PRAGMA table_info(ledger_event)")]
    used = [name for name in names if name in columns]
    con.execute(
        f"INSERT INTO ledger_event ({', '.join(used)}) VALUES ({', '.join('?' * len(used))})",
        [columns[name] for name in used],
    )


def _now(con: sqlite3.Connection) -> str:
    return con.execute("SELECT max(at) FROM ledger_event").fetchone()[0]


def _bytes(value: object) -> bytes:
    return bytes.fromhex(value) if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]


def _as(content: bytes, like: object) -> object:
    """In the form in which the table keeps such values."""
    return content.hex() if isinstance(like, str) else content


TAMPERED = {"a changed entry": _change, "a dropped entry": _drop, "two entries reordered": _reorder, "a cut end": _cut}
VERIFY = Stage(14, "검증", "Verify", verify)
