"""The data work of an extract: its plan, its files, and what the risk is before and after. No record is written here.

Identities, tokens and serials of people stand together only in this process's memory and for as long as they are used.
"""

import shutil
import tarfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ansim.privacy.deid import gate, risk, run, special
from ansim.privacy.deid import plan as plans
from ansim.privacy.deid.sql import first, quote
from ansim.research.cohort.query import parse
from ansim.sites.config import site
from ansim.sites.exchange import bulk, post
from ansim.sites.holder import categories, link_keys, source

BATCH = 20_000
SERIALS = "serials.parquet"
BANDS = ((1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, None))
# Completed months between birth and entry: what a full birth date beside an entry date would tell.
_BEFORE = """(SELECT person_id, sex, date_sub('year', birth, start_date) AS age,
        date_sub('month', birth, start_date) AS months
    FROM (SELECT c.person_id, min(p.gender_concept_id) AS sex, min(c.start_date) AS start_date,
            min(make_date(p.year_of_birth::INT, coalesce(p.month_of_birth, 7)::INT,
                least(coalesce(p.day_of_birth, 15), 28)::INT)) AS birth
        FROM cohort c JOIN person p USING (person_id) GROUP BY c.person_id))"""


def folder(key: str) -> Path:
    """Where the files of an extract lie until they have left."""
    return site().path("extracts", key)


def plan_for(query: dict, agreement: str) -> dict:
    """The plan of a query over the CDM as it is now; special categories are looked for in the data themselves.

    The overrides given under the agreement stand in it for the reviewers to see; the run judges whether they hold.
    """
    with source.connect() as con:
        tables = run.cdm_tables(con)
        found = special.find(con, plans.scope(query), categories.codes(), tables, plans.chosen_by(query))
    return plans.compile(
        query,
        tables,
        data_version=source.edition(agreement),
        policy=site().options.get("deid"),
        special=found,
        overrides=categories.overrides(agreement),
    )


def before(query: dict, plan: Mapping, project: str) -> dict[str, Any]:
    """People, rows a table and risk of the cohort as it stands in the CDM: {"people", "rows": {table: n}, …risk}."""
    cohort = source.cohort(parse(query), project)
    with source.connect() as con:
        con.register("given", cohort)
        con.execute("CREATE TEMP TABLE cohort AS SELECT * FROM given")
        found = risk.report(
            con, _BEFORE, ["sex", "age", "months"], policy={"k": plan["policy"]["k"]}, person="person_id"
        )
        rows = {
            table: first(con, f"SELECT count(*) FROM {quote(table)} WHERE person_id IN (SELECT person_id FROM cohort)")[
                0
            ]
            for table, spec in plan["tables"].items()
            if "person_id" in spec["columns"]
        }
    return {"rows": rows, **figures(found)}


def make(agreement: str, query: dict, plan: Mapping, place: Path, now: datetime) -> dict[str, Any]:
    """Write the extract's files, judged by the gate, and give {"manifest", "after", "variables"}."""
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    tokens, shifts = asking("pseudonyms", agreement), asking("shifts", agreement, days=plan["shift_days"])
    cohort, codes = source.cohort(parse(query), agreement), categories.codes()
    manifest = run.extract(source.path(), query, plan, cohort, tokens, shifts, place, now=now, codes=codes)
    with duckdb.connect() as con:
        gate.mount(con, place, plan)
        found = figures(gate.k_report(con, plan))
        variables = [
            {
                **column,
                "distinct": first(
                    con, f"SELECT count(DISTINCT {quote(column['column'])}) FROM {quote(column['table'])}"
                )[0],
            }
            for column in columns(plan)
        ]
    rows = {table: facts["rows"] for table, facts in manifest["tables"].items() if table in plan["tables"]}
    return {"manifest": manifest, "after": {"rows": rows, **found}, "variables": variables}


def columns(plan: Mapping) -> list[dict[str, str]]:
    """[{"table", "column", "action"}] of what leaves, vocabulary tables aside."""
    everything = {**plan["tables"], **plan["derived"]}
    return [
        {"table": table, "column": column, "action": everything[table]["columns"][column]["action"]}
        for table, names in plans.output_columns(plan).items()
        if table not in plans.VOCABULARY
        for column in names
    ]


def figures(report: Mapping) -> dict[str, Any]:
    """A risk report in whole numbers, so that it can stand in a signed document; sizes of classes in bands."""
    sizes = report["distribution"]
    bands = []
    for low, high in BANDS:
        within = [each["people"] for each in sizes if low <= each["size"] and (high is None or each["size"] <= high)]
        label = f"{low}+" if high is None else str(low) if low == high else f"{low}-{high}"
        bands.append({"size": label, "people": sum(within)})
    return {
        "people": report["people"],
        "classes": report["classes"],
        "k": report["k"],
        "uniques": report["uniques"],
        "highest_permille": round(1000 * report["prosecutor_highest"]),
        "average_permille": round(1000 * report["marketer"]),
        "sizes": bands,
    }


def asking(verb: str, agreement: str, **facts: Any) -> Callable[[list], list]:
    """A question to the key process about a list of person ids, in batches."""

    def ask(ids: list) -> list:
        found: list = []
        for start in range(0, len(ids), BATCH):
            found += post.keeper().call(verb, project=agreement, ids=ids[start : start + BATCH], **facts)
        return found

    return ask


def people(agreement: str, query: dict, place: Path) -> list[tuple[int, str, str]]:
    """(person id, serial, token) of everybody in the written extract; made again from the keys, never stored."""
    ids = source.cohort(parse(query), agreement)["person_id"].to_pylist()
    tokens, serials = asking("pseudonyms", agreement)(ids), asking("serials", agreement)(ids)
    kept = set(pq.read_table(place / "person.parquet", columns=["person_id"])["person_id"].to_pylist())
    return [each for each in zip(ids, serials, tokens, strict=True) if each[2] in kept]


def pack(agreement: str, query: dict, place: Path, *, linked: bool) -> dict[str, Any]:
    """One encrypted file to send, and the match keys of the same people where they are to be linked.

    Gives {"blob", "key", "rows"}. The tar holds the extract's files and, for a linkage, serials.parquet.
    """
    run.verify(place)
    listed = people(agreement, query, place) if linked else []
    rows = link_keys.match_rows(agreement, [(person, serial) for person, serial, _ in listed]) if linked else []
    archive = place.with_name(f"{place.name}.tar")
    extra = place.with_name(f"{place.name}.{SERIALS}")
    try:
        with tarfile.open(archive, "w:") as tar:
            for file in sorted(place.iterdir()):
                tar.add(file, file.name, recursive=False)
            if linked:
                _, serials, tokens = zip(*sorted(listed, key=lambda each: each[1]), strict=True)
                pq.write_table(pa.table({"serial": serials, "person": tokens}), extra)
                tar.add(extra, SERIALS, recursive=False)
        blob, key = bulk.encrypt(archive, site().path("outgoing"))
    finally:
        archive.unlink(missing_ok=True)
        extra.unlink(missing_ok=True)
    return {"blob": blob, "key": key, "rows": rows}


def forget(key: str) -> None:
    """Delete the files of an extract."""
    shutil.rmtree(folder(key), ignore_errors=True)
    for leftover in folder(key).parent.glob(f"{key}.*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
