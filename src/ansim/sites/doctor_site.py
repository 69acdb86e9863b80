"""The examination of one site's folder: settings, keys, passphrase, trust, database, ledger, notices, jobs.

It reads the files as they lie there, with none of the site's processes running or needed, and changes nothing.
"""

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from asn1crypto import x509

from ansim.errors import N_, Problem
from ansim.governance.ledger import verify
from ansim.privacy.disclosure.policy import Policy
from ansim.sites import config, doctor_backup, doctor_network
from ansim.sites.config import Site
from ansim.sites.doctor import Finding, _safely, in_use, passphrase_file, too_open, weakness
from ansim.sites.exchange import notices
from ansim.sites.keeper.keystore import Keystore, public

SOON = timedelta(days=30)


def examine(folder: Path) -> tuple[str | None, list[Finding]]:
    """(kind of the site or None, findings)."""
    settings: list[Site] = []

    def read() -> Iterator[Finding]:
        settings.append(config.read(folder))
        yield Finding(settings[0].id, "settings", "ok", f"{settings[0].kind} {settings[0].id}")

    found = list(_safely(folder.name, read))
    if not settings:
        return None, found
    examined = _Examined(settings[0])
    checks = (
        examined.policy,
        examined.files,
        examined.passphrase,
        examined.database,
        examined.trust,
        examined.port,
        lambda: doctor_network.examine(examined.site, examined.now),
        lambda: doctor_backup.examine(examined.site, examined.now),
        examined.ledger,
        examined.notices,
        examined.own_keys,
        examined.jobs,
    )
    for check in checks:
        found += _safely(settings[0].id, check)
    return settings[0].kind, found


class _Examined:
    """One site; what an early check learns (opened keys, notices) a later one uses."""

    def __init__(self, site: Site):
        self.site = site
        self.keys: dict[str, dict] = {}
        self.now = datetime.now(UTC) + timedelta(seconds=_offset(site))
        self.held: dict[str, dict] = {}
        self.unreachable = False

    def _say(self, check: str, state: str, detail: str = "", remedy: str = "") -> Finding:
        return Finding(self.site.id, check, state, detail, remedy)

    def policy(self) -> Iterator[Finding]:
        if self.site.kind in {"holder", "centre"}:
            policy = Policy.from_data(self.site.policy)
            detail = f"hide below {policy.threshold}, round to {policy.rounding}"
            yield self._say("disclosure policy", "ok", detail)

    def files(self) -> Iterator[Finding]:
        """Secrets are for the owner alone."""
        keys = self.site.path("keys")
        if not keys.is_dir():
            yield self._say("key files", "fail", f"{keys} is missing", "Make the site with `ansim init`.")
            return
        secret = [keys, *sorted(keys.iterdir())]
        secret += [file for file in (self.site.path("accounts.json"), self.site.path("web.key")) if file.exists()]
        if "@" in self.site.database:
            secret.append(self.site.path("site.toml"))
        wide = [path for path in secret if too_open(path)]
        for path in wide:
            mode = "700" if path.is_dir() else "600"
            yield self._say("key files", "fail", f"others may read {path}", f"chmod {mode} {path}")
        if not wide:
            yield self._say("key files", "ok", f"{len(secret)} for the owner alone")

    def passphrase(self) -> Iterator[Finding]:
        """Weak, lying beside what it protects, or shared with another site: refused."""
        try:
            given = config.passphrase(self.site.folder)
        except Problem as problem:
            remedy = problem.remedy.format(**problem.facts)
            yield self._say("passphrase", "warn", "not given, so neither it nor the keys were examined", remedy)
            return
        faults = []
        if weak := weakness(given):
            faults.append((f"the passphrase is {weak}", "Make a random one: openssl rand -base64 32"))
        file = passphrase_file()
        if file and file.resolve().is_relative_to(self.site.folder):
            faults.append(
                (f"{file} lies in the folder that it protects", "Keep it elsewhere, or use a systemd credential.")
            )
        if file and too_open(file):
            faults.append((f"others may read {file}", f"chmod 600 {file}"))
        try:
            self.keys = Keystore(self.site.path("keys"), given).keys
        except Problem as problem:
            faults.append((problem.text.format(**problem.facts), "Give the passphrase that the keys were made with."))
        shared = [name for name in _siblings(self.site.folder) if _opens(name, given)]
        if shared:
            names = ", ".join(folder.name for folder in shared)
            faults.append((f"it opens the keys of {names} as well", "Give each site a passphrase of its own."))
        for detail, remedy in faults:
            yield self._say("passphrase", "fail", detail, remedy)
        if not faults:
            yield self._say("passphrase", "ok", "opens this site's keys and no other's beside it")

    def trust(self) -> Iterator[Finding]:
        here = self.site
        if len(here.roots) < here.threshold or not here.roots:
            detail = f"{len(here.roots)} roots pinned, {here.threshold} must sign"
            yield self._say("trust roots", "fail", detail, "Pin the roots that were compared out of band.")
            return
        if any("d" in root for root in (*here.roots, here.ministry)):
            yield self._say("trust roots", "fail", "site.toml holds a private key", "Take out every member named d.")
        if not here.demo and here.threshold < 2:
            yield self._say("trust roots", "warn", "one signature suffices for the directory", "Let two of three sign.")
        for name in self._documents():
            if name == "directory" and bool(self._documents()[name].get("demo")) != here.demo:
                detail = (
                    "a demo site with a real nation's directory" if here.demo else "a real site with a demo directory"
                )
                remedy = "A movable clock must never meet real data: make the site anew, without or with --demo."
                yield self._say("demo", "fail", detail, remedy)
        if here.demo:
            yield self._say("demo", "warn", "this site has a movable clock", "For a demo only; never for real data.")
        yield self._say("trust roots", "ok", f"{here.threshold} of {len(here.roots)} must sign")

    def port(self) -> Iterator[Finding]:
        here = self.site
        if not in_use(here.host, here.port):
            yield self._say("port", "ok", f"{here.port} is free")
        elif (who := _who(here)) == here.id:
            yield self._say("port", "ok", f"{here.port}: this site is running")
        else:
            remedy = "Stop it, or set another port in site.toml."
            yield self._say("port", "fail", f"{here.port} is used by {who or 'another program'}", remedy)

    def database(self) -> Iterator[Finding]:
        if self.site.database:
            try:
                _postgres(self.site.database, "SELECT 1")
            except Exception as error:
                self.unreachable = True
                # only its kind: the text of a connection error may carry the password
                detail = str(error) if isinstance(error, Problem) else f"not reachable ({type(error).__name__})"
                yield self._say("database", "fail", detail, "Start PostgreSQL, or mend `database` in site.toml.")
                return
            yield self._say("database", "ok", "PostgreSQL answers")
        elif not self.site.path("site.sqlite3").exists():
            yield self._say("database", "warn", "not there yet", "It is made when the site first runs: `ansim serve`.")
        else:
            said = self._rows("PRAGMA quick_check(1)")[0][0]
            remedy = "" if said == "ok" else "Restore the newest backup; keep this file for the inquiry."
            yield self._say("database", "ok" if said == "ok" else "fail", f"SQLite: {said}", remedy)

    def ledger(self) -> Iterator[Finding]:
        """The ledger against its own heads and what others have witnessed (ansim-verify)."""
        directory = self._documents().get("directory")
        if not self.site.path("site.sqlite3").exists() or directory is None:
            if self.site.database:
                yield self._say("ledger", "warn", "in PostgreSQL: not examined here", "Export it and run ansim-verify.")
            return
        report = verify.verify([self.site.folder], directory).sites[0]
        for finding in report.findings:
            yield self._say("ledger", "fail", finding.text, "Stop the site and compare with the witnesses' heads.")
        told = f"{report.entries} entries, {report.witnessed} witnessed by {len(report.witnesses)} sites"
        if report.entries and not report.witnessed:
            yield self._say("ledger", "warn", told, "No other site has seen this ledger: is the hub reachable?")
        elif not report.findings:
            yield self._say("ledger", "ok", told)
        last = self._rows("SELECT max(at) FROM ledger_event")[0][0]
        if last and datetime.fromisoformat(last) > self.now:
            yield self._say("clock", "fail", f"behind the ledger's last entry ({last})", "Set the clock right.")

    def notices(self) -> Iterator[Finding]:
        """The directory, designations and member lists: genuine, and in date."""
        held = self._documents()
        for needed in ("directory", "designations"):
            if needed not in held:
                yield self._say(
                    needed, "fail", "has not arrived", "Put the signed notice into notices/ or reach the hub."
                )
        for name, document in held.items():
            days = self.site.member_list_days if name.startswith("members:") else None
            try:
                self._genuine(name)
                notices.fresh(document, name, self.now, days)
            except Problem as problem:
                remedy = "Ask who signs it for a fresh one; nothing under it runs until it is here."
                yield self._say(name, "fail", problem.text.format(**problem.facts), remedy)
                continue
            issued, expires = (datetime.fromisoformat(document[each]) for each in ("issued", "expires"))
            until = min(expires, issued + timedelta(days=days)) if days else expires
            near = until - self.now < (timedelta(days=3) if days else SOON)
            remedy = "Have it signed anew in time." if near else ""
            yield self._say(name, "warn" if near else "ok", f"no. {document['seq']}, until {until:%Y-%m-%d}", remedy)

    def _genuine(self, name: str) -> None:
        here, notice = self.site, self.held[name]
        trust = notices.Trust(here.roots, here.threshold, here.ministry, here.demo)
        known = self._documents().get("directory")
        directory = notices.Directory(known) if known and name != "directory" else None
        notices.accept(notice, notice["document"]["seq"] - 1, trust, directory, self.now)

    def own_keys(self) -> Iterator[Finding]:
        """The directory must name this site's keys, and neither they nor the certificate may be about to end."""
        document = self._documents().get("directory")
        if document is None:
            return
        directory = notices.Directory(document)
        entry = directory.site(self.site.id)
        for name, use in (("site", "sig"), ("receive", "enc")):
            listed = [key for key in entry["keys"] if key["use"] == use and key["kid"] not in directory.revoked]
            if self.keys:
                own = public(self.keys[name])["kid"]
                listed = [key for key in listed if key["kid"] == own]
            if not listed:
                remedy = "Have this site's public key entered into the directory."
                yield self._say(f"key {name}", "fail", "the directory does not name it", remedy)
                continue
            yield self._end(f"key {name}", max(datetime.fromisoformat(key["not_after"]) for key in listed))
        if certificate := entry.get("certificate"):
            end = x509.Certificate.load(base64.b64decode(certificate)).not_valid_after
            yield self._end("certificate", end)
        else:
            yield self._say("certificate", "warn", "the directory holds none", "Without it papers cannot be signed.")

    def _end(self, check: str, end: datetime) -> Finding:
        state = "fail" if end <= self.now else "warn" if end - self.now < SOON else "ok"
        return self._say(
            check, state, f"until {end:%Y-%m-%d}", "" if state == "ok" else "Have it renewed in the directory."
        )

    def jobs(self) -> Iterator[Finding]:
        rows = dict(self._rows("SELECT state, count(*) FROM store_job GROUP BY state"))
        if self.unreachable or not self._has_database():
            return
        dead, waiting = rows.get("dead", 0), rows.get("queued", 0) + rows.get("leased", 0)
        remedy = "See why at /jobs/." if dead else ""
        yield self._say("jobs", "warn" if dead else "ok", f"{waiting} waiting, {dead} failed for good", remedy)

    def _has_database(self) -> bool:
        return bool(self.site.database) or self.site.path("site.sqlite3").exists()

    def _documents(self) -> dict[str, dict]:
        """The notices held, by name: from the database, else those that came with the pairing."""
        if not self.held:
            for name, body in self._rows("SELECT name, body FROM store_notice ORDER BY name"):
                self.held[name] = json.loads(body) if isinstance(body, str) else body
        if not self.held:
            for file in sorted(self.site.path("notices").glob("*.json")):
                notice = json.loads(file.read_text("utf-8"))
                self.held[notices.name_of(notice["document"])] = notice
        return {name: notice["document"] for name, notice in self.held.items()}

    def _rows(self, sql: str) -> list[tuple]:
        if self.site.database:
            return [] if self.unreachable else _postgres(self.site.database, sql)
        file = self.site.path("site.sqlite3")
        if not file.exists():
            return []
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()


def _postgres(url: str, sql: str) -> list[tuple]:
    try:
        import psycopg
    except ImportError:
        raise Problem(
            "no-psycopg", N_("The driver of PostgreSQL is missing."), remedy=N_("pip install 'ansim[postgres]'")
        ) from None
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute(sql).fetchall()  # type: ignore[arg-type]


def _offset(site: Site) -> float:
    """Seconds by which a demo site's clock is moved."""
    try:
        return float(site.path("clock").read_text()) if site.demo else 0.0
    except (OSError, ValueError):
        return 0.0


def _siblings(folder: Path) -> list[Path]:
    others = [file.parent.parent for file in sorted(folder.parent.glob("*/keys/keys.sealed"))]
    return [other for other in others if other.resolve() != folder]


def _opens(folder: Path, passphrase: bytes) -> bool:
    try:
        Keystore(folder / "keys", passphrase)
    except (Problem, OSError):
        return False
    return True


def _who(site: Site) -> str:
    """The id of the site that answers at this address, if one does."""
    import httpx

    try:
        # which program holds the port is asked, not whether to trust it: the name in its certificate is another one's
        return str(httpx.get(f"{site.url}/health/", timeout=2, verify=False).json().get("site", ""))  # noqa: S501
    except (httpx.HTTPError, ValueError):
        return ""
