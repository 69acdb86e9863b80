"""Load FHIR R4 bulk NDJSON and bundles by a mapping (by default `mappings/fhir_r4.toml`), file by file, set by set.

Each line is parsed once into just the elements that the mapping's paths name. A bundle's entries are its lines: entry 1
is line 1. What no rule takes is refused with its reason; nothing is dropped.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb

from ansim.data.cdm import literal
from ansim.data.ingest.account import LoadReport, TableLoad, keep_account, number_of
from ansim.data.ingest.codes import prepare_codes
from ansim.data.ingest.mapping import LOOKUP, Mapping, Rule, built_in
from ansim.data.ingest.periods import add_observation_periods
from ansim.data.ingest.plan import NO_RULE, NOT_FHIR, Plan, compile_rule
from ansim.data.ingest.readers import FhirReader
from ansim.data.ingest.run import prepare_run, refuse_untaken, run_plans
from ansim.errors import N_, Problem

LONGEST_LINE = 16 * 1024 * 1024
# What others refer to comes first; costs, which refer to other rows, last.
ORDER = (LOOKUP, "location", "care_site", "provider", "person", "payer_plan_period", "visit_occurrence", "visit_detail")
LAST = ("cost", "fact_relationship", "episode_event")


def order_of(rule: Rule) -> int:
    if rule.to in ORDER:
        return ORDER.index(rule.to)
    return len(ORDER) + (1 if rule.to in LAST else 0)


def load_fhir(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    mapping: Mapping | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> LoadReport:
    """Load every `*.ndjson` and `*.json` file (`.gz` too) of the folder into an open CDM that has its vocabulary.

    Raises Problem when the concept table is empty or no Patient is found. Observation periods, which FHIR does not
    know, are made from each person's first to last record.
    """
    folder = Path(folder)
    paths = sorted(path for path in folder.iterdir() if is_fhir(path))
    mapping = mapping or built_in("fhir_r4")
    report = load_fhir_files(con, [(path, path.name) for path in paths], mapping, progress=progress)
    add_observation_periods(con, type_concept=mapping.type_concept)
    return report


def is_fhir(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith((".ndjson", ".json", ".jsonl"))


def load_fhir_files(
    con: duckdb.DuckDBPyConnection,
    paths: Iterable[tuple[Path, str]],
    mapping: Mapping,
    *,
    progress: Callable[[str], None] = lambda text: None,
) -> LoadReport:
    """Load files given with the names they have in the account; all patients first, then what refers to them."""
    if not con.execute("SELECT count(*) FROM concept").fetchall()[0][0]:
        raise Problem(
            "no-vocabulary",
            N_("FHIR codes cannot be mapped without concepts."),
            where="concept",
            remedy=N_("Load the vocabulary tables first."),
        )
    for kind in {rule.source for rule in mapping.rules}:  # every path is checked before any row is read
        _compile(mapping, kind, FhirReader())
    keep_account(con)
    prepare_run(con)
    prepare_codes(con, mapping.vocabularies)
    report = LoadReport()
    kinds = {(path, name): _kinds(con, path, name, report) for path, name in paths}
    read = {rule.source for rule in mapping.rules}
    by_order: dict[int, list[Rule]] = {}
    for rule in mapping.rules:
        by_order.setdefault(order_of(rule), []).append(rule)
    begun: set[tuple[str, str]] = set()
    for place in sorted(by_order):
        for (path, name), found in kinds.items():
            for kind in sorted(found):
                rules = [rule for rule in by_order[place] if rule.source == kind]
                if rules:
                    progress(f"{name}: {kind}")
                    first = (name, kind) not in begun
                    begun.add((name, kind))
                    _run(con, path, name, kind, rules, mapping, report, alone=len(found) == 1, first=first)
    for (path, name), found in kinds.items():
        for kind in sorted(set(found) - read):
            _refuse_kind(con, path, name, kind, found[kind], report)
    if not con.execute("SELECT 1 FROM person LIMIT 1").fetchall():
        raise Problem("no-patients", N_("There is no FHIR Patient among the sources."), where=_some(kinds))
    return report


def _some(kinds: dict) -> str:
    return ", ".join(name for _, name in list(kinds)[:3])


def lines(path: Path) -> str:
    """The lines of a file as a relation (text); a blank line is null. Bundles are one document, or one a line."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".json"):
        return f"SELECT content AS text FROM read_text({literal(str(path))})"
    return (
        f"SELECT text FROM read_csv({literal(str(path))}, columns={{'text': 'VARCHAR'}}, delim='\x01', quote='', "
        f"escape='', comment='', header=false, auto_detect=false, max_line_size={LONGEST_LINE})"
    )


def _kinds(con: duckdb.DuckDBPyConnection, path: Path, name: str, report: LoadReport) -> dict[str, int]:
    """The resource types of a file, counted; what is no resource is refused here."""
    try:
        found = dict(
            con.execute(
                f"SELECT {_kind('text')} AS kind, count(*) FROM ({lines(path)}) WHERE text IS NOT NULL GROUP BY 1"
            ).fetchall()
        )
    except duckdb.Error as error:
        raise Problem(
            "unreadable",
            N_("The file is broken or cut off: {detail}"),
            where=name,
            remedy=N_("Fetch or export it again. Nothing of this load was published."),
            detail=str(error).splitlines()[0],
        ) from error
    number_of(con, "file", name)
    con.execute("UPDATE trace.file SET rows = ? WHERE name = ?", [sum(found.values()), name])
    if bad := found.pop(None, 0):
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE raw AS SELECT CASE WHEN {_kind('text')} IS NULL THEN left(text, 2000) END "
            f"AS text FROM ({lines(path)})"
        )
        con.execute(
            "INSERT INTO trace.refused SELECT ?, rowid + 1, '', '', ?, NULL, text FROM raw WHERE text IS NOT NULL",
            [name, NOT_FHIR],
        )
        con.execute("DROP TABLE raw")
        report.loads.append(TableLoad(name, "", bad, 0, bad))
    if "Bundle" in found:
        bundles = found.pop("Bundle")
        for kind, count in con.execute(
            f"SELECT {_kind('text')}, count(*) FROM ({_entries(path)}) GROUP BY 1"
        ).fetchall():
            found[kind or "nothing"] = found.get(kind or "nothing", 0) + count
        con.execute("UPDATE trace.file SET rows = rows - ? + ? WHERE name = ?", [bundles, sum(found.values()), name])
        found["Bundle"] = 0
    return found


def _kind(text: str) -> str:
    """The resource type of a line, null when it is no resource."""
    kind = f"try(json_extract({text}, '$.resourceType'))"
    return f"CASE WHEN json_type({kind}) = 'VARCHAR' THEN json_extract_string({kind}, '$') END"


def _entries(path: Path) -> str:
    return (
        "SELECT unnest(json_extract(text, '$.entry[*].resource'))::VARCHAR AS text "
        f"FROM ({lines(path)}) WHERE {_kind('text')} = 'Bundle'"
    )


def _run(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    kind: str,
    rules: list[Rule],
    mapping: Mapping,
    report: LoadReport,
    *,
    alone: bool,
    first: bool,
) -> None:
    """The rules of one place in the order, on one file's resources of one type."""
    reader = FhirReader()
    plans = _compile(mapping, kind, reader)
    _read_items(con, path, kind, reader, alone=alone)
    if first:
        refuse_untaken(con, list(plans.values()), name, report)
    run_plans(con, [plans[rule.id] for rule in rules], mapping, file=name, report=report)
    con.execute("DROP VIEW item; DROP TABLE IF EXISTS raw; DROP TABLE IF EXISTS typed")


def _compile(mapping: Mapping, kind: str, reader: FhirReader) -> dict[str, Plan]:
    return {rule.id: compile_rule(rule, mapping, reader) for rule in mapping.rules if rule.source == kind}


def _read_items(con: duckdb.DuckDBPyConnection, path: Path, kind: str, reader: FhirReader, *, alone: bool) -> None:
    """The relation `item` (line, r): the resources of one type, r holding just what the paths name."""
    shaped = f"json_transform(text, {literal(reader.shape.as_json())})"
    if alone:  # one pass: the row number in the file is the line
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE raw AS SELECT {_of_kind('text', kind)} THEN {shaped} END AS r "
            f"FROM ({lines(path)})"
        )
        con.execute("CREATE OR REPLACE TEMP VIEW item AS SELECT rowid + 1 AS line, r FROM raw WHERE r IS NOT NULL")
        return
    con.execute(f"CREATE OR REPLACE TEMP TABLE raw AS SELECT text, {_kind('text')} AS kind FROM ({lines(path)})")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE typed AS SELECT rowid + 1 AS line, {shaped} AS r FROM raw WHERE kind = ?", [kind]
    )
    con.execute(
        f"INSERT INTO typed SELECT spot, {shaped} FROM (SELECT generate_subscripts(e, 1) AS spot, "
        "unnest(e)::VARCHAR AS text FROM (SELECT json_extract(text, '$.entry[*].resource') AS e FROM raw "
        f"WHERE kind = 'Bundle')) WHERE {_kind('text')} = ?",
        [kind],
    )
    con.execute("CREATE OR REPLACE TEMP VIEW item AS FROM typed")


def _of_kind(text: str, kind: str) -> str:
    return f"CASE WHEN try(json_extract_string({text}, '$.resourceType')) = {literal(kind)}"


def _refuse_kind(
    con: duckdb.DuckDBPyConnection, path: Path, name: str, kind: str, count: int, report: LoadReport
) -> None:
    """Resources of a type without a rule: each line is kept as refused, its text stays in the source."""
    if not count:
        return
    con.execute(f"CREATE OR REPLACE TEMP TABLE raw AS SELECT {_kind('text')} AS kind FROM ({lines(path)})")
    at_line = "SELECT rowid + 1 AS line FROM raw WHERE kind = $kind"
    entries = f"SELECT row_number() OVER () AS line, {_kind('text')} AS kind FROM ({_entries(path)})"
    con.execute(
        f"INSERT INTO trace.refused SELECT $name, line, '', 'resourceType', $reason, $kind, NULL FROM ({at_line} "
        f"UNION ALL SELECT line FROM ({entries}) WHERE kind = $kind)",
        {"name": name, "reason": NO_RULE, "kind": kind},
    )
    con.execute("DROP TABLE raw")
    report.loads.append(TableLoad(name, "", count, 0, count, rule=kind))
    report.skipped.append((kind, "resource type is not loaded"))
