"""The whole linkage played in one place, every role with a folder of its own that holds all that it saw.

For applicants who want to try their files before they sign anything, and for reviewers who want to read what each party
gets. In production each role is a site of its own (ansim.sites); the functions are the same.
"""

import csv
import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from ansim.data.cdm.schema import literal
from ansim.errors import N_, Problem
from ansim.privacy.deid.keys import serials
from ansim.privacy.linkage import fuzzy, keys, match, oprf, tokens
from ansim.privacy.linkage.keys import COMPATIBILITY, ITEMS, KINDS, OBLIVIOUS, Kind

BATCH = 5_000  # people between two steps of progress
Progress = Callable[[str, int, int], None]


def read(file: Path, columns: Mapping[str, str] | None = None) -> list[dict]:
    """People of a CSV file: {"id", "name", "birth_date", "sex", "phone"}, texts or None; other columns are not read.

    columns: the file's own names for these, where they differ. Raises Problem for a missing column or a repeated id.
    """
    names = {wanted: (columns or {}).get(wanted, wanted) for wanted in ("id", *ITEMS)}
    with duckdb.connect() as con:
        source = f"read_csv({literal(str(file))}, header = true, all_varchar = true)"
        try:
            there = [row[0] for row in con.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        except duckdb.Error as error:
            detail = str(error).splitlines()[0]
            raise Problem(
                "unreadable", N_("The file cannot be read as CSV: {detail}"), where=str(file), detail=detail
            ) from error
        lost = [name for name in names.values() if name not in there]
        if lost:
            raise Problem(
                "no-column",
                N_("These columns are missing: {columns}."),
                where=str(file),
                remedy=N_("Name the file's own columns with --column, such as --column name=성명."),
                columns=", ".join(lost),
            )
        quoted = ", ".join(f'"{name}" AS {wanted}' for wanted, name in names.items())
        rows = con.sql(f"SELECT {quoted} FROM {source}").to_arrow_table().to_pylist()
    ids = [row["id"] for row in rows]
    if None in ids or len(set(ids)) < len(ids):
        raise Problem("serial-twice", N_("An id is missing or stands twice."), where=str(file))
    return rows


def play(
    registers: Mapping[str, list[dict]],
    *,
    mode: str = OBLIVIOUS,
    kinds: tuple[Kind, ...] = KINDS,
    seen: Path | None = None,
    near: bool = False,
    progress: Progress = lambda what, done, whole: None,
) -> dict[str, Any]:
    """Link two or more registers {institution: people as `read` gives them}.

    Gives {"groups": [{institution: id}], "reports", "contradictions", "near"}, see match.groups. seen: a new folder in
    which each role's own folder holds what it saw. near: of two registers, those that no token matched are compared by
    fuzzy encodings too, outside the official flow. Secrets are made for this run and forgotten.
    """
    if mode not in (OBLIVIOUS, COMPATIBILITY):
        raise Problem("unknown-mode", N_("There is no linkage mode {mode}."), mode=mode)
    agency, salt = secrets.token_bytes(32), secrets.token_bytes(32)
    lists: dict[str, list[dict]] = {}
    ids: dict[str, dict[str, str]] = {}
    for name, people in registers.items():
        secret = secrets.token_bytes(32)
        made = serials(secret, [row["id"] for row in people])
        rows = [{**row, "serial": serial} for row, serial in zip(people, made, strict=True)]
        ids[name] = dict(zip(made, (row["id"] for row in people), strict=True))
        lists[name] = []
        for done in range(0, len(rows), BATCH):
            progress(name, done, len(rows))
            batch = rows[done : done + BATCH]
            if mode == COMPATIBILITY:
                lists[name] += keys.match_keys(salt, batch, kinds)
                continue
            elements = tokens.blinded(secret, batch, kinds)
            lists[name] += tokens.tokens(secret, salt, batch, oprf.evaluate(tokens.agency_key(agency), elements), kinds)
            with _note(seen, "key-agency", f"elements-of-{name}.hex") as write:
                write("\n".join(element.hex() for element in oprf.elements(elements)) + "\n")
        with _note(seen, name, "people.json") as write:
            write(json.dumps(rows, ensure_ascii=False, indent=1))
        with _note(seen, "key-agency", f"keys-of-{name}.json") as write:
            write(json.dumps(lists[name], indent=1))
    progress("match", 0, 1)
    found = match.groups(lists, [kind.name for kind in kinds])
    with _note(seen, "linker", "groups.json") as write:
        write(json.dumps(found["groups"], indent=1))
    groups = [{name: ids[name][serial] for name, serial in one.items()} for one in found["groups"]]
    more = _near(registers, groups) if near else []
    return {**found, "groups": groups + more, "near": len(more)}


def _near(registers: Mapping[str, list[dict]], groups: list[dict[str, str]]) -> list[dict[str, str]]:
    """Pairs of people whom no token matched, by encodings under a key of this run that the institutions share."""
    if len(registers) != 2:
        raise Problem("two-lists", N_("Fuzzy matching is done between two files at a time."))
    (one, left), (other, right) = registers.items()
    matched = {name: {group[name] for group in groups if name in group} for name in registers}
    left = [row for row in left if row["id"] not in matched[one]]
    right = [row for row in right if row["id"] not in matched[other]]
    pairs, _ = fuzzy.match(secrets.token_bytes(32), left, right)
    return [{one: left[first]["id"], other: right[second]["id"]} for first, second in pairs]


def write_pairs(groups: list[dict[str, str]], file: Path) -> int:
    """CSV of institution, id, institution, id: every two records of one person; gives their number."""
    count = 0
    with open(file, "w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(["left", "left_id", "right", "right_id"])
        for group in groups:
            for (one, first), (other, second) in itertools.combinations(sorted(group.items()), 2):
                out.writerow([one, first, other, second])
                count += 1
    return count


@contextmanager
def _note(seen: Path | None, role: str, name: str) -> Iterator[Callable[[str], Any]]:
    """A file in the role's folder, appended to."""
    if seen is None:
        yield lambda text: None
        return
    (seen / role).mkdir(parents=True, exist_ok=True)
    with open(seen / role / name, "a", encoding="utf-8") as stream:
        yield stream.write
