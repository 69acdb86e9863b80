"""A fully stolen hub: its keys, its database, its live sessions. What an attacker does who has all of that.

It reads and writes the hub's database behind the hub's back, signs with the hub's own key, keeps what passes through,
and puts envelopes into mailboxes that the hub's own program would have refused.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from ansim.demo.nation import Nation
from ansim.sites.exchange import envelope, signed
from ansim.sites.keeper.keystore import Keystore


class StolenHub:
    """The hub in an attacker's hands."""

    def __init__(self, nation: Nation):
        self.nation, self.folder = nation, nation.site("hub")
        self.keys = Keystore(self.folder / "keys", nation.passphrase_file("hub").read_bytes())
        self.kid = self.keys.keys["site"]["kid"]
        self.public = {name: value for name, value in self.keys.keys["site"].items() if name != "d"}

    def now(self) -> datetime:
        clock = self.folder / "clock"
        offset = float(clock.read_text()) if clock.exists() else 0.0
        return datetime.now(UTC) + timedelta(seconds=offset)

    def sign(self, data: bytes) -> bytes:
        return self.keys.signing_key("site").sign(data)

    def sql(self, statement: str, *values: Any) -> list[tuple]:
        with closing(sqlite3.connect(self.folder / "site.sqlite3", timeout=30)) as con, con:
            return con.execute(statement, values).fetchall()

    # envelopes

    def envelope(self, typ: str, payload: dict, *, to: str, iss: str = "hub", kid: str = "") -> dict:
        """An envelope signed with the hub's key, in whoever's name."""
        return envelope.write(
            typ, payload, iss=iss, aud=to, kid=kid or self.kid, sign=self.sign, now=self.now(), seq=10**9
        )

    def inject(self, wire: dict) -> str:
        """Lay an envelope into its receiver's mailbox, past the hub's own checks; gives its jti."""
        claims = envelope.peek(wire)
        self.sql("DELETE FROM store_mail WHERE receiver = ? AND jti = ?", claims["aud"], claims["jti"])
        self.sql(
            "INSERT INTO store_mail (receiver, sender, jti, body, at) VALUES (?, ?, ?, ?, ?)",
            claims["aud"], claims["iss"], claims["jti"], json.dumps(wire), self.now().isoformat(),
        )  # fmt: skip
        return str(claims["jti"])

    @contextmanager
    def tap(self) -> Iterator[list[dict]]:
        """Keep a copy of every envelope that passes through meanwhile."""
        kept: list[dict] = []
        seen: set[str] = set()
        stop = threading.Event()

        def watch() -> None:
            with closing(sqlite3.connect(self.folder / "site.sqlite3", timeout=30)) as con:
                while not stop.wait(0.01):
                    for jti, body in con.execute("SELECT jti, body FROM store_mail"):
                        if jti not in seen:
                            seen.add(jti)
                            kept.append(json.loads(body))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            stop.set()
            thread.join()

    # notices

    def notice(self, name: str) -> dict:
        return json.loads(self.sql("SELECT body FROM store_notice WHERE name = ?", name)[0][0])

    def forge(self, document: dict) -> dict:
        """A notice signed with the only key it has: its own."""
        return signed.sign_document(document, self.kid, self.sign)

    @contextmanager
    def serving(self, name: str, notice: dict) -> Iterator[None]:
        """Hand this notice out instead of the true one."""
        true = self.notice(name)
        put = "UPDATE store_notice SET seq = ?, body = ? WHERE name = ?"
        self.sql(put, notice["document"]["seq"], json.dumps(notice), name)
        try:
            yield
        finally:
            self.sql(put, true["document"]["seq"], json.dumps(true), name)

    @contextmanager
    def withholding(self, name: str) -> Iterator[None]:
        """Hand out no newer notice of this name than now, whatever comes in."""
        self.sql(
            "CREATE TRIGGER withhold BEFORE UPDATE ON store_notice WHEN NEW.name = '"
            + name.replace("'", "")
            + "' BEGIN SELECT RAISE(IGNORE); END"
        )
        try:
            yield
        finally:
            self.sql("DROP TRIGGER withhold")


def refusals(nation: Nation, site: str, after: int = -1) -> list[dict]:
    """What a site's ledger says it refused since an entry: [{seq, type, …data}]."""
    with closing(sqlite3.connect(f"file:{nation.site(site) / 'site.sqlite3'}?mode=ro", uri=True, timeout=30)) as con:
        rows = con.execute(
            "SELECT seq, type, data FROM ledger_event"
            " WHERE seq > ? AND (type LIKE '%refused%' OR type LIKE '%repeated%') ORDER BY seq",
            (after,),
        ).fetchall()
    return [{"seq": seq, "type": kind, **json.loads(data)} for seq, kind, data in rows]


def last_entry(nation: Nation, site: str) -> int:
    with closing(sqlite3.connect(f"file:{nation.site(site) / 'site.sqlite3'}?mode=ro", uri=True, timeout=30)) as con:
        return con.execute("SELECT coalesce(max(seq), -1) FROM ledger_event").fetchone()[0]
