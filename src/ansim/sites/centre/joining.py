"""From received extracts to what a script reads: Parquet tables a part, and the frame of the agreed query.

    prepared/<part>/<table>.parquet, frame.parquet, part.json     made once, complete or not at all
    data/<part>/…, data/frame.parquet                             what is admitted: the sandbox mounts `data`

The frame of linked people: each holder's own frame (its dates are shifted in one way only), side by side as
`<variable>@<holder>`, and plain `<variable>`: a flag is true if it is at any holder, else the first known value in the
order of the holders' names. Without linkage `data/frame.parquet` is the union of the holders' frames.
"""

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ansim.privacy.deid.plan import extract_query
from ansim.privacy.deid.run import open_extract
from ansim.privacy.deid.sql import quote, text
from ansim.privacy.linkage.join import linked, linked_ids, risk_after
from ansim.research.cohort import compile as compiler
from ansim.research.cohort.query import parse
from ansim.sites.exchange.bulk import digest

LINKED = "linked"


def alone(space: Path, holder: str, query: dict) -> dict[str, Any]:
    """A holder's extract as a part of its own: {holders, people, tables: {name: {sha256, bytes, rows}}, rates}."""
    final = space / "prepared" / holder
    if not (final / "part.json").exists():
        source, work = space / "received" / holder, _fresh(final)
        manifest = json.loads((source / "manifest.json").read_text("utf-8"))
        for table in manifest["tables"]:
            shutil.copyfile(source / f"{table}.parquet", work / f"{table}.parquet")
        frame = own_frame(source, query)
        pq.write_table(frame, work / "frame.parquet")
        _finish(work, final, [holder], frame.num_rows, {}, None)
    return read(final)


def own_frame(extract: Path, query: dict) -> pa.Table:
    """The frame of the agreed query in one extract: one row a person of the cohort.

    Its own table `cohort` says who entered when: an extract need not hold what people were chosen by.
    """
    manifest = json.loads((extract / "manifest.json").read_text("utf-8"))
    asked = parse(extract_query(query, manifest))
    with open_extract(extract) as con:
        return compiler.frame_of(con, asked, con.table("cohort").to_arrow_table())


def done(space: Path) -> bool:
    return (space / "prepared" / LINKED / "part.json").exists()


def together(
    space: Path, holders: Sequence[str], groups: Sequence[Mapping[str, str]], query: dict, policy: Mapping
) -> dict[str, Any]:
    """The linked extract: persons re-keyed to new common tokens, only linked people in it, its risk assessed again."""
    final = space / "prepared" / LINKED
    if done(space):
        return read(final)
    folders = {holder: space / "received" / holder for holder in holders}
    serials = {holder: _serials(folder) for holder, folder in folders.items()}
    people = {holder: len(rows) for holder, rows in serials.items()}
    ids = linked_ids(groups, serials)
    work = _fresh(final)
    with duckdb.connect() as con:
        found = linked(con, folders, ids)
        for table in found["tables"]:
            con.execute(
                f"COPY {quote(table)} TO {text(str(work / f'{table}.parquet'))} (FORMAT parquet, COMPRESSION zstd)"
            )
        report = risk_after(con, _quasi_identifiers(con), policy)
    frame = linked_frame({holder: own_frame(folder, query) for holder, folder in folders.items()}, ids)
    pq.write_table(frame, work / "frame.parquet")
    joined = Counter(ids["institution"].to_pylist())  # a holder's own people among the linked, not all of them
    rates = {holder: round(1000 * joined[holder] / count) if count else 0 for holder, count in people.items()}
    _finish(work, final, list(holders), found["people"], rates, report)
    return read(final)


def linked_frame(frames: Mapping[str, pa.Table], ids: pa.Table) -> pa.Table:
    """One row a linked person: each variable of each holder, and the variables put together."""
    variables = list(
        dict.fromkeys(name for frame in frames.values() for name in frame.column_names if name != "person_id")
    )
    with duckdb.connect() as con:
        con.register("ids", ids)
        joins, columns = [], []
        for index, (holder, frame) in enumerate(frames.items()):
            con.register(f"frame_{index}", frame)
            same = f"i.institution = {text(holder)} AND i.person_id = f.person_id"
            theirs = f"SELECT i.linked_id, f.* FROM frame_{index} f JOIN ids i ON {same}"
            joins.append(f"LEFT JOIN ({theirs}) h{index} ON h{index}.linked_id = p.linked_id")
            columns += [
                f"h{index}.{quote(name)} AS {quote(f'{name}@{holder}')}"
                for name in frame.column_names
                if name != "person_id"
            ]
        for name in variables:
            having = [(index, frame) for index, frame in enumerate(frames.values()) if name in frame.column_names]
            sides = ", ".join(f"h{index}.{quote(name)}" for index, _ in having)
            flag = pa.types.is_boolean(having[0][1].schema.field(name).type)
            columns.append(f"{'greatest' if flag else 'coalesce'}({sides}) AS {quote(name)}")
        people = "(SELECT DISTINCT linked_id FROM ids) p"
        return con.sql(
            f"SELECT p.linked_id AS person_id, {', '.join(columns)} FROM {people} {' '.join(joins)} ORDER BY 1"
        ).to_arrow_table()


def read(part: Path) -> dict[str, Any]:
    return json.loads((part / "part.json").read_text("utf-8"))


def offer(space: Path, admitted: Sequence[str]) -> None:
    """Put exactly the admitted parts into `data`, with the frame that scripts and tables use."""
    if not admitted:
        return
    work = _fresh(space / "data")
    for name in admitted:
        shutil.copytree(space / "prepared" / name, work / name)
        (work / name / "part.json").unlink()
    pq.write_table(default_frame(space, admitted), work / "frame.parquet")
    shutil.rmtree(space / "data", ignore_errors=True)
    work.rename(space / "data")


def default_frame(space: Path, admitted: Sequence[str]) -> pa.Table:
    """The frame that a table without a named part is about: the linked people, else everybody's union."""
    names = [LINKED] if LINKED in admitted else list(admitted)
    frames = [pq.read_table(space / "prepared" / name / "frame.parquet") for name in names]
    return pa.concat_tables(frames, promote_options="permissive")


def _serials(folder: Path) -> list[dict[str, str]]:
    rows = pq.read_table(folder / "serials.parquet")
    key = "pseudonym" if "pseudonym" in rows.column_names else "person"
    return [
        {"serial": one, "pseudonym": other}
        for one, other in zip(rows["serial"].to_pylist(), rows[key].to_pylist(), strict=True)
    ]


def _quasi_identifiers(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Sex and generalised age, as the extracts have them."""
    wanted = {"person_by_institution": ("person", ["gender_concept_id"]), "cohort": ("cohort", ["age"])}
    found = {}
    for table, (name, columns) in wanted.items():
        listed = con.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = ?", [table]
        ).fetchall()
        have = [column for column in columns if (column,) in listed]
        if have:
            found[name] = have
    return found


def _fresh(final: Path) -> Path:
    work = final.with_name(f".{final.name}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work


def _finish(work: Path, final: Path, holders: list[str], people: int, rates: dict, risk: dict | None) -> None:
    tables = {
        file.stem: {"sha256": digest(file), "bytes": file.stat().st_size, "rows": pq.read_metadata(file).num_rows}
        for file in sorted(work.glob("*.parquet"))
    }
    facts = {"holders": holders, "people": people, "rates": rates, "tables": tables} | ({"risk": risk} if risk else {})
    (work / "part.json").write_text(json.dumps(facts))
    shutil.rmtree(final, ignore_errors=True)
    work.rename(final)
