"""The key agency's part: from (serial, keys) lists of institutions to pairs of serials. It sees tokens only.

One to one: keys are tried in the order of their rank, and a person matched by one is out of the next. A key value
that stands more than once in a list, or that two institutions tie differently, is ambiguous: it is dropped and counted,
for a wrong join of two people's records is worse than a missing one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.privacy.deid.sql import first
from ansim.privacy.linkage.keys import KINDS

_TOKEN = "[0-9a-f]{32}"  # noqa: S105
_ENTRY = {"serial", "keys"}


def pairs(left: Iterable[Mapping], right: Iterable[Mapping], kinds: Sequence[str] | None = None) -> dict[str, Any]:
    """One-to-one pairs of two lists [{"serial", "keys": {kind: token}}].

    kinds: names of key kinds, most specific first. Gives {"pairs": [[left serial, right serial]], "by_kind": {kind:
    pairs}, "ambiguous": {kind: values dropped}, "left", "right", "matched", "match_rate_permille" (of the smaller
    list)}. Refuses lists that hold anything but serials and tokens.
    """
    names = list(kinds or [kind.name for kind in KINDS])
    con = duckdb.connect()
    try:
        sizes = {side: _load(con, side, rows, names) for side, rows in (("a", left), ("b", right))}
        con.execute("CREATE TABLE matched (a VARCHAR, b VARCHAR)")
        by_kind, ambiguous = {}, {}
        for name in names:
            by_kind[name], ambiguous[name] = _match(con, name)
        found = [list(pair) for pair in con.execute("SELECT a, b FROM matched ORDER BY a").fetchall()]
    finally:
        con.close()
    smaller = min(sizes.values())
    return {
        "pairs": found,
        "by_kind": by_kind,
        "ambiguous": ambiguous,
        "left": sizes["a"],
        "right": sizes["b"],
        "matched": len(found),
        "match_rate_permille": round(1000 * len(found) / smaller) if smaller else 0,
    }


def groups(lists: Mapping[str, Iterable[Mapping]], kinds: Sequence[str] | None = None) -> dict[str, Any]:
    """Linked people of two or more institutions: {"groups": [{institution: serial}], "reports": {"a~b": …}}.

    Every two institutions are paired; a group is a connected set of serials with one serial an institution. Sets with
    two serials of one institution contradict themselves: they are dropped and counted in "contradictions".
    """
    if len(lists) < 2:
        raise Problem("too-few-lists", N_("A linkage needs the keys of at least two institutions."))
    names = sorted(lists)
    held = {name: list(rows) for name, rows in lists.items()}
    edges, reports = [], {}
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            report = pairs(held[one], held[other], kinds)
            edges += [((one, a), (other, b)) for a, b in report.pop("pairs")]
            reports[f"{one}~{other}"] = report
    found, contradictions = [], 0
    for members in _components(edges):
        if len({institution for institution, _ in members}) == len(members):
            found.append(dict(sorted(members)))
        else:
            contradictions += 1
    return {
        "groups": sorted(found, key=lambda group: sorted(group.items())),
        "reports": reports,
        "contradictions": contradictions,
    }


def _load(con: duckdb.DuckDBPyConnection, side: str, rows: Iterable[Mapping], names: list[str]) -> int:
    listed = list(rows)
    if any(set(row) != _ENTRY or set(row["keys"]) - set(names) for row in listed):
        raise Problem(
            "more-than-keys",
            N_("The list holds more than serials and the agreed keys."),
            remedy=N_("The key agency takes nothing else: send the list again without the rest."),
        )
    table = pa.table(
        {"serial": pa.array([row["serial"] for row in listed], pa.string())}
        | {name: pa.array([row["keys"].get(name) for row in listed], pa.string()) for name in names}
    )
    values = [value for column in table.columns for value in column.to_pylist() if value is not None]
    if not all(re.fullmatch(_TOKEN, value) for value in values):
        raise Problem("not-a-token", N_("The list holds values that are not tokens of 32 hexadecimal digits."))
    con.register("given", table)
    con.execute(f"CREATE TABLE {side} AS SELECT * FROM given")
    con.unregister("given")
    if first(con, f"SELECT count(*) - count(DISTINCT serial) FROM {side}")[0]:
        raise Problem("serial-twice", N_("A serial stands twice in the list, or is missing."))
    return len(listed)


def _match(con: duckdb.DuckDBPyConnection, name: str) -> tuple[int, int]:
    """Adds the pairs of one kind among people not matched yet; gives their number and the ambiguous values'."""
    key = '"' + name.replace('"', '""') + '"'
    open_a = f"SELECT {key} AS k, serial FROM a WHERE {key} IS NOT NULL AND serial NOT IN (SELECT a FROM matched)"
    open_b = f"SELECT {key} AS k, serial FROM b WHERE {key} IS NOT NULL AND serial NOT IN (SELECT b FROM matched)"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE candidate AS SELECT k, x.serial AS a, y.serial AS b, x.n AS n, y.n AS m
        FROM (SELECT k, any_value(serial) AS serial, count(*) AS n FROM ({open_a}) GROUP BY k) x
        JOIN (SELECT k, any_value(serial) AS serial, count(*) AS n FROM ({open_b}) GROUP BY k) y USING (k)"""
    )
    con.execute("INSERT INTO matched SELECT a, b FROM candidate WHERE n = 1 AND m = 1")
    return first(con, "SELECT count(*) FILTER (n = 1 AND m = 1), count(*) FILTER (n > 1 OR m > 1) FROM candidate")  # type: ignore[return-value]


def _components(edges: list[tuple]) -> list[list[tuple]]:
    """Connected sets of (institution, serial), by union-find."""
    parent: dict[tuple, tuple] = {}

    def root(node: tuple) -> tuple:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in edges:
        parent[root(one)] = root(other)
    members: dict[tuple, list[tuple]] = {}
    for node in list(parent):
        members.setdefault(root(node), []).append(node)
    return list(members.values())
