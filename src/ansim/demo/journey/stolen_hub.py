"""A fully stolen hub: its keys, its database, its live sessions. What an attacker does who has all of that.

It reads and writes the hub's database behind the hub's back, signs with the hub's own key, keeps what passes through,
and puts envelopes into mailboxes that the hub's own program would have refused.
"""

import json
import sqlite3
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

    def listen(self, name: str, sender: str, receiver: str, *, withhold: bool = False) -> None:
        """From now on keep a copy of every envelope from one site to another; withhold: it is not delivered.

        It is a trigger in the hub's own database, so nothing slips through and it outlives the hub's process.
        """
        forget = "DELETE FROM store_mail WHERE id = NEW.id;" if withhold else ""
        self.unlisten(name)
        self.sql(f"CREATE TABLE heard_{name} (body TEXT)")
        self.sql(
            f"CREATE TRIGGER hear_{name} AFTER INSERT ON store_mail WHEN NEW.sender = '{sender}'"
            f" AND NEW.receiver = '{receiver}' BEGIN INSERT INTO heard_{name} VALUES (NEW.body); {forget} END"
        )

    def heard(self, name: str, typ: str) -> list[dict]:
        """The envelopes of a type that were kept since `listen`, oldest first."""
        kept = [json.loads(body) for (body,) in self.sql(f"SELECT body FROM heard_{name} ORDER BY rowid")]
        return [wire for wire in kept if signed.header(wire["jws"])["typ"] == envelope.PREFIX + typ]

    def unlisten(self, name: str) -> None:
        self.sql(f"DROP TRIGGER IF EXISTS hear_{name}")
        self.sql(f"DROP TABLE IF EXISTS heard_{name}")

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
