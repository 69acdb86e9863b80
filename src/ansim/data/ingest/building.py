"""The building of one version: which sources are read again, their loading, and what is made from the rows."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ansim.data.cdm import create_tables, literal, quoted, tables
from ansim.data.cdm import versions as store
from ansim.data.cdm.versions import CDM, TRACE, Version
from ansim.data.ingest import codemaps
from ansim.data.ingest.account import LoadReport, keep_account, refused_by_reason
from ansim.data.ingest.eras import add_eras
from ansim.data.ingest.fhir_read import load_fhir_files
from ansim.data.ingest.mapping import LOOKUP, Mapping, Rule, built_in
from ansim.data.ingest.omop import Source, describe_source, duckdb_sources, load_tables
from ansim.data.ingest.periods import add_observation_periods
from ansim.data.ingest.plan import NOBODY
from ansim.data.ingest.sources import Found, named
from ansim.data.ingest.tabular import TableSource, load_mapped

REFUSE_ABOVE = 0.05
MEMORY = "3GB"
ERAS = ("condition_era", "drug_era", "dose_era")
Progress = Callable[[str], None]


@dataclass
class Options:
    """How to load. now: ISO time, given by the caller. released: ISO date of the source's release."""

    now: str
    mapping: Path | str | None = None  # a mapping file, or the name of a built-in one
    code_maps: tuple[Path, ...] = ()
    vocabulary: Path | None = None  # another CDM file whose vocabulary tables are taken over
    refuse_above: float = REFUSE_ABOVE
    name: str = ""
    holder: str = ""
    released: str = ""
    memory: str = MEMORY
    threads: int | None = None
    whole: bool = False  # read everything, whatever changed


class Building:
    """The building of one version in its folder."""

    def __init__(
        self,
        building: Path,
        found: list[Found],
        passed: list[tuple[str, str]],
        mapping: Mapping | None,
        options: Options,
        last: Version | None,
        facts: dict[str, Any],
        progress: Progress,
    ):
        self.building, self.found, self.mapping, self.options = building, found, mapping, options
        self.last, self.facts, self.progress = last, facts, progress
        self.report = LoadReport(skipped=list(passed))
        self.kept: list[dict[str, Any]] = []
        self.derived: list[str] = []

    def run(self) -> None:
        stale = self._stale()
        if stale is not None and self._attempt(stale):
            return
        for name in (CDM, TRACE):
            (self.building / name).unlink(missing_ok=True)
        self.report = LoadReport(skipped=[each for each in self.report.skipped if each[1].startswith("no kind")])
        self.kept = []
        self._attempt(None)

    # What has to be read again

    def _stale(self) -> set[str] | None:
        """Names of the files whose rows have to go or to come; None: everything has to be read."""
        if self.last is None or self.options.whole:
            return None
        before, now = self.last.facts["made_from"], self.facts
        if {**before, "files": 0} != {**now, "files": 0} or self.last.facts["engine"] != duckdb.__version__:
            return None
        changed = {
            name for name in {*before["files"], *now["files"]} if before["files"].get(name) != now["files"].get(name)
        }
        con = duckdb.connect()
        try:
            con.execute(f"ATTACH {literal(str(self.last.trace))} AS trace (READ_ONLY)")
            # Rows that found nobody, and links that led nowhere, may find what a changed file brings.
            waiting = con.execute(
                "SELECT name FROM trace.file WHERE unresolved > 0 "
                "UNION SELECT file FROM trace.refused WHERE reason = ?",
                [NOBODY],
            ).fetchall()
        finally:
            con.close()
        return changed | {name for (name,) in waiting}

    def _attempt(self, stale: set[str] | None) -> bool:
        """Build the version, reading only the stale files; False when it turns out that all have to be read."""
        if stale is not None and self.last is not None:
            shutil.copyfile(self.last.cdm, self.building / CDM)
            shutil.copyfile(self.last.trace, self.building / TRACE)
        con = self._open(fresh=stale is None)
        try:
            keep_account(con, self.building / TRACE)
            if stale is not None:
                if not self._forget(con, stale):
                    return False
            else:
                self._remember(con)
                if self.options.vocabulary:
                    self._take_vocabulary(con)
            self._read(con, [each for each in self.found if stale is None or each.name in stale])
            if stale is not None and self._others_touched(con):
                return False
            self._derive(con)
            self._describe(con)
            self.progress("account")
            self.reasons = refused_by_reason(con)
            self.coverage = _coverage(con)
            self.tables = store.table_digests(con)
            self._number_files(con)
            con.execute("CHECKPOINT; CHECKPOINT trace")
        finally:
            con.close()
        return True

    def _open(self, *, fresh: bool) -> duckdb.DuckDBPyConnection:
        spill = self.building / "work" / "spill"
        spill.mkdir(exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": self.options.memory,
            "temp_directory": str(spill),
        }
        if self.options.threads:
            config["threads"] = self.options.threads
        con = duckdb.connect(str(self.building / CDM), config=config)
        con.execute("SET enable_progress_bar = false")  # what a load does is told by `progress`
        if fresh:
            create_tables(con)
        return con

    def _forget(self, con: duckdb.DuckDBPyConnection, stale: set[str]) -> bool:
        """Take the rows of the stale files out of the copy, keeping their ids. False when they can't be told."""
        assert self.last is not None
        account = self.last.facts["account"]
        self.kept = [load for load in account["loads"] if load["file"] not in stale]
        for load in account["loads"]:
            table = tables().get(load["table"])
            untraced = load["table"] == LOOKUP or (table and (table.key is None or table.group == "vocabulary"))
            if load["file"] in stale and (untraced or load["renumbered"]):
                return False
        con.execute(
            "CREATE TEMP TABLE stale AS SELECT number, name FROM trace.file WHERE name IN (SELECT unnest(?))",
            [list(stale)],
        )
        targets = con.execute(
            "SELECT DISTINCT target FROM trace.row WHERE file IN (SELECT number FROM stale)"
        ).fetchall()
        gone = "file IN (SELECT number FROM stale)"
        for (target,) in targets:
            con.execute(
                f"DELETE FROM {quoted(target)} WHERE {quoted(str(tables()[target].key))} IN "
                f"(SELECT id FROM trace.row WHERE target = {literal(target)} AND {gone})"
            )
        con.execute(
            "CREATE OR REPLACE TEMP TABLE before_row AS "
            f"SELECT target, id, key FROM trace.row WHERE {gone} AND key IS NOT NULL;"
            f"CREATE OR REPLACE TEMP TABLE before_key AS SELECT kind, source, id FROM trace.key WHERE {gone};"
            "CREATE OR REPLACE TEMP TABLE before_id AS SELECT target, max(id) AS id FROM trace.row GROUP BY 1"
        )
        con.execute(
            f"DELETE FROM trace.row WHERE {gone}; DELETE FROM trace.key WHERE {gone};"
            "DELETE FROM trace.refused WHERE file IN (SELECT name FROM stale);"
            "DELETE FROM trace.code WHERE file IN (SELECT number FROM stale);"
            "DELETE FROM trace.file WHERE name IN (SELECT name FROM stale)"
        )
        return True

    def _remember(self, con: duckdb.DuckDBPyConnection) -> None:
        """The ids of the last version by source key, for a load that reads everything."""
        if self.last is None:
            return
        con.execute(
            f"ATTACH {literal(str(self.last.trace))} AS last (READ_ONLY);"
            "CREATE TEMP TABLE before_row AS SELECT target, id, key FROM last.row WHERE key IS NOT NULL;"
            "CREATE TEMP TABLE before_key AS SELECT kind, source, id FROM last.key;"
            "CREATE TEMP TABLE before_id AS SELECT target, max(id) AS id FROM last.row GROUP BY 1;"
            "DETACH last"
        )

    def _others_touched(self, con: duckdb.DuckDBPyConnection) -> bool:
        """Whether what was read changes rows of files that were not: a key that is gone, or one used in both."""
        gone = con.execute(
            "SELECT 1 FROM before_key b ANTI JOIN trace.key k ON k.kind = b.kind AND k.source = b.source LIMIT 1"
        ).fetchall()
        again = con.execute(
            "SELECT 1 FROM trace.row r WHERE key IN (SELECT key FROM trace.row WHERE key IS NOT NULL AND file IN "
            "(SELECT number FROM trace.file WHERE name IN (SELECT unnest(?)))) GROUP BY target, key "
            "HAVING count(*) > 1 LIMIT 1",
            [sorted({load.file for load in self.report.loads})],
        ).fetchall()
        return bool(gone or again) or any(load.renumbered for load in self.report.loads)

    # Reading

    def _take_vocabulary(self, con: duckdb.DuckDBPyConnection) -> None:
        self.progress("vocabulary")
        con.execute(f"ATTACH {literal(str(self.options.vocabulary))} AS given (READ_ONLY)")
        for table in tables().values():
            if table.group == "vocabulary":
                con.execute(f"INSERT INTO {quoted(table.name)} BY NAME FROM given.{quoted(table.name)}")
        con.execute("DETACH given")

    def _read(self, con: duckdb.DuckDBPyConnection, todo: list[Found]) -> None:
        """Tables of the CDM first (among them the vocabulary that mappings need), then what is mapped."""
        plain: list[Source] = []
        mapped: list[TableSource] = []
        for place, each in enumerate(each for each in todo if each.kind != "fhir"):
            if each.kind == "duckdb":
                con.execute(f"ATTACH {literal(str(each.path))} AS source{place} (READ_ONLY)")
                for source in duckdb_sources(con, f"source{place}", each.name, self.report, every=True):
                    self._sort(source.name, source.table, None, source.relation, plain, mapped)
            else:
                self._sort(each.name, each.table, each.path, None, plain, mapped)
        self._add(load_tables(con, plain, progress=self.progress))
        codemaps.load_code_maps(con, self.options.code_maps)  # they may name concepts by their codes
        if mapped and self.mapping:
            self._add(load_mapped(con, mapped, self.mapping, progress=self.progress))
        resources = [(each.path, each.name) for each in todo if each.kind == "fhir"]
        if resources:
            mapping = self.mapping if self.mapping and self.mapping.source == "fhir" else built_in("fhir_r4")
            self._add(load_fhir_files(con, resources, mapping, progress=self.progress))

    def _sort(
        self,
        name: str,
        table: str,
        path: Path | None,
        relation: str | None,
        plain: list[Source],
        mapped: list[TableSource],
    ) -> None:
        rules: tuple[Rule, ...] = ()
        if self.mapping and self.mapping.source == "table":
            rules = tuple(rule for rule in self.mapping.rules if named(rule.source, name.rsplit(":", 1)[-1]))
        if rules:
            mapped.append(TableSource(name, rules, path, relation))
        elif table in tables():
            plain.append(Source(name, table, path, relation))
        else:
            self.report.skipped.append((name, "no rule reads it, and it is no table of CDM 5.4"))

    def _add(self, report: LoadReport) -> None:
        self.report.loads += report.loads
        self.report.skipped += report.skipped

    # What is made from the rows

    def _derive(self, con: duckdb.DuckDBPyConnection) -> None:
        """Eras and observation periods, where the sources bring none."""
        brought = {load["table"] for load in self.account_loads()}
        if not brought & set(ERAS):
            self.progress("eras")
            add_eras(con)
            self.derived += ERAS
        if "observation_period" not in brought:
            self.progress("observation periods")
            con.execute("DELETE FROM observation_period")
            add_observation_periods(con, type_concept=32817)
            self.derived.append("observation_period")

    def _describe(self, con: duckdb.DuckDBPyConnection) -> None:
        options = self.options
        brought = {load["table"] for load in self.account_loads()}
        if "cdm_source" in brought and not options.name:
            return
        version = con.execute("SELECT vocabulary_version FROM vocabulary WHERE vocabulary_id = 'None'").fetchall()
        day = options.released or options.now[:10]
        name = options.name or "OMOP CDM"
        describe_source(
            con,
            name=name,
            abbreviation=name[:25],
            holder=options.holder or "not given",
            released=day,
            vocabulary=(version[0][0] if version else None) or "not given",
        )

    def _number_files(self, con: duckdb.DuckDBPyConnection) -> None:
        for each in self.found:
            con.execute("UPDATE trace.file SET digest = ? WHERE name = ?", [each.digest, each.name])

    # The account

    def account_loads(self) -> list[dict[str, Any]]:
        return self.kept + self.report.as_data()["loads"]

    @property
    def account(self) -> dict[str, Any]:
        loads = self.account_loads()
        return {
            **{name: sum(load[name] for load in loads) for name in ("rows_in", "loaded", "refused")},
            "loads": loads,
            "skipped": self.report.as_data()["skipped"],
            "reasons": self.reasons,
            "read": sorted({load.file for load in self.report.loads}),
        }

    def version_facts(self) -> dict[str, Any]:
        return {
            "at": self.options.now,
            "engine": duckdb.__version__,
            "made_from": self.facts,
            "derived": sorted(set(self.derived)),
            "tables": self.tables,
            "account": self.account,
        }


def _coverage(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """How often each source code was met and what it led to, most frequent first."""
    if not con.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = 'trace' AND table_name = 'code'"
    ).fetchall():
        return []
    rows = con.execute(
        "SELECT rule, field, system, code, any_value(display), status, any_value(target), sum(rows)::BIGINT AS n "
        "FROM trace.code GROUP BY rule, field, system, code, status ORDER BY n DESC, rule, field, system, code"
    ).fetchall()
    names = ("rule", "field", "system", "code", "display", "status", "target", "rows")
    return [dict(zip(names, row, strict=True)) for row in rows]
