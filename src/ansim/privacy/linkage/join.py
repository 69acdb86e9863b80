"""The linker's part: from serial groups and (serial, pseudonym) lists to one common token a linked person.

The linker never sees a match key. The common token is random and new: it says nothing of the pseudonyms it replaces,
so the linked data cannot be joined back to an institution's other extracts. Serials are dropped once used.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.privacy.deid import risk
from ansim.privacy.deid.run import verify
from ansim.privacy.deid.sql import first, quote, text
from ansim.privacy.linkage.keys import TOKEN_DIGITS

EACH_PERSON = "person_by_institution"


def linked_ids(
    groups: Iterable[Mapping[str, str]], serials: Mapping[str, Iterable[Mapping]], *, only_linked: bool = True
) -> pa.Table:
    """The map (institution, person_id, linked_id) of groups [{institution: serial}].

    serials: for each institution [{"serial", "pseudonym"}]. only_linked leaves out people of one institution only;
    otherwise they get a linked id of their own. No serial is in the result. Refuses a serial that nobody sent.
    """
    known = {name: {row["serial"]: row["pseudonym"] for row in rows} for name, rows in serials.items()}
    rows: list[tuple[str, str, str]] = []
    for group in groups:
        token = secrets.token_hex(TOKEN_DIGITS // 2)
        for institution, serial in group.items():
            pseudonym = known.get(institution, {}).pop(serial, None)
            if pseudonym is None:
                raise Problem(
                    "unknown-serial",
                    N_("The pairs name a serial that {institution} did not send, or name it twice."),
                    where=institution,
                    institution=institution,
                )
            rows.append((institution, pseudonym, token))
    if not only_linked:
        alone = [(name, pseudonym) for name, rest in known.items() for pseudonym in rest.values()]
        rows += [(name, pseudonym, secrets.token_hex(TOKEN_DIGITS // 2)) for name, pseudonym in alone]
    names = ("institution", "person_id", "linked_id")
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})


def pairs_as_groups(one: str, other: str, pairs: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    """Serial pairs of two institutions in the form that `linked_ids` takes."""
    return [{one: left, other: right} for left, right in pairs]


def linked(con: duckdb.DuckDBPyConnection, extracts: Mapping[str, Path], ids: pa.Table) -> dict[str, Any]:
    """Tables of all extracts, re-keyed, in the connection: each with `institution` and the common person_id.

    extracts: folder of each institution's extract (checked against its manifest). A table that several institutions
    sent is their union by column name, except `person`: one row a person, from the first institution in `extracts`
    that has it, while `person_by_institution` keeps all. Only people in `ids` are in; the map itself is not kept.
    Gives {"people", "tables": {table: rows}}. Dates of one person are shifted differently by
    each institution: compare intervals within an institution, not dates across them.
    """
    manifests = {name: verify(folder) for name, folder in extracts.items()}
    con.register("_link_given", ids)
    con.execute("CREATE OR REPLACE TEMP TABLE _link_ids AS SELECT * FROM _link_given")
    con.unregister("_link_given")
    rows: dict[str, int] = {}
    try:
        for table in sorted({table for manifest in manifests.values() for table in manifest["tables"]}):
            parts = [
                _part(table, name, extracts[name], manifest["tables"][table]["columns"])
                for name, manifest in manifests.items()
                if table in manifest["tables"]
            ]
            into = EACH_PERSON if table == "person" else table
            distinct = "" if all("_link_ids" in part for part in parts) else " DISTINCT"
            union = " UNION ALL BY NAME ".join(parts)
            con.execute(f"CREATE OR REPLACE TABLE {into} AS SELECT{distinct} * FROM ({union}) ORDER BY ALL")
            rows[into] = first(con, f"SELECT count(*) FROM {into}")[0]
        rows["person"] = _one_person_each(con, list(extracts))
        people = first(con, "SELECT count(DISTINCT linked_id) FROM _link_ids")[0]
    finally:
        con.execute("DROP TABLE _link_ids")
    return {"people": people, "tables": rows}


def _one_person_each(con: duckdb.DuckDBPyConnection, institutions: Sequence[str]) -> int:
    order = ", ".join(map(text, institutions))
    con.execute(
        f"""CREATE OR REPLACE TABLE person AS SELECT * EXCLUDE (institution) FROM {EACH_PERSON}
        QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY list_position([{order}], institution)) = 1"""
    )
    return first(con, "SELECT count(*) FROM person")[0]


def risk_after(con: duckdb.DuckDBPyConnection, quasi_identifiers: Mapping[str, Sequence[str]], policy: Mapping) -> dict:
    """The risk of the linked people: quasi-identifiers {table: columns} of every institution stand side by side.

    What was safe apart may single people out together, so each institution's value counts as a column of its own.
    """
    columns, joins, names = [], [], []
    listed = con.execute(f"SELECT DISTINCT institution FROM {EACH_PERSON} ORDER BY 1").fetchall()
    institutions = [name for (name,) in listed]
    for index, institution in enumerate(institutions):
        for table, wanted in quasi_identifiers.items():
            alias = quote(f"{table}_{index}")
            source = EACH_PERSON if table == "person" else quote(table)
            aggregates = ", ".join(f"min({quote(name)}) AS {quote(name)}" for name in wanted)
            theirs = f"SELECT person_id, {aggregates} FROM {source} WHERE institution = {text(institution)}"
            joins.append(f"LEFT JOIN ({theirs} GROUP BY person_id) {alias} ON {alias}.person_id = p.person_id")
            for name in wanted:
                names.append(f"{institution}.{table}.{name}")
                columns.append(f"{alias}.{quote(name)} AS {quote(names[-1])}")
    people = "(SELECT DISTINCT person_id FROM person) p"
    return risk.report(con, f"(SELECT {', '.join(columns)} FROM {people} {' '.join(joins)})", names, policy=policy)


def _part(table: str, institution: str, folder: Path, columns: Sequence[str]) -> str:
    source = f"read_parquet({text(str(Path(folder) / f'{table}.parquet'))})"
    if "person_id" not in columns:
        return f"SELECT * FROM {source}"
    return f"""SELECT {text(institution)} AS institution, t.* REPLACE (i.linked_id AS person_id)
        FROM {source} t JOIN _link_ids i ON i.institution = {text(institution)} AND i.person_id = t.person_id"""
