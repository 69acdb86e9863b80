"""Generalising a table to k: one step for everybody (the optimum of `lattice`), or each remainder in its own way.

Local recoding takes the optimum without a limit on suppression, and generalises those left over again, round by round
(the idea of Prasser, Bild, Kuhn 2016). Its loss is never above that of the one step for all under the same limit,
as its first round already has the least loss of all; the price is that a column then holds classes of several
widths, as texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.privacy.deid import classes, hierarchy, lattice
from ansim.privacy.deid.classes import Column
from ansim.privacy.deid.sql import quote

Steps = Sequence[Mapping]


@dataclass(frozen=True)
class _Read:
    columns: list[Column]
    levels: list[hierarchy.Levels]


def generalise(
    con: duckdb.DuckDBPyConnection,
    table: str,
    quasi_identifiers: Sequence[str],
    *,
    k: int,
    hierarchies: Mapping[str, Steps],
    max_suppressed_permille: int,
    into: str,
    raw: bool = True,
) -> dict[str, Any]:
    """Write the optimal generalisation of a table, each row a person, into the temporary table `into`.

    hierarchies: steps for those quasi-identifiers that may be generalised (see `hierarchy`); raw: whether their
    values may also stay as they are. Gives {"steps": {name: step or None}, "people", "suppressed", "loss",
    "loss_of": {name: loss}, "checked", "nodes", "proof"}; Problem when no node of the lattice suffices.
    """
    read = _read(con, table, quasi_identifiers, hierarchies, raw)
    people = len(read.columns[0].codes)
    best = lattice.search(read.columns, read.levels, k=k, limit=people * max_suppressed_permille // 1000)
    if best.node is None:
        raise _not_reached(people, k)
    steps = _steps(quasi_identifiers, hierarchies, best.node, raw)
    changed = {name: hierarchy.expression(quote(name), step) for name, step in steps.items() if step}
    keys = ", ".join(changed.get(name, quote(name)) for name in quasi_identifiers)
    replaced = ", ".join(f"{sql} AS {quote(name)}" for name, sql in changed.items())
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE {quote(into)} AS SELECT {f"* REPLACE ({replaced})" if replaced else "*"}
        FROM {table} QUALIFY count(*) OVER (PARTITION BY {keys}) >= {int(k)}"""
    )
    return {
        "steps": steps,
        "people": best.people,
        "suppressed": best.suppressed,
        "loss": best.loss,
        "loss_of": dict(zip(quasi_identifiers, best.loss_of, strict=True)),
        "checked": best.checked,
        "nodes": best.nodes,
        "proof": best.proof,
    }


def local(
    con: duckdb.DuckDBPyConnection,
    table: str,
    quasi_identifiers: Sequence[str],
    *,
    k: int,
    hierarchies: Mapping[str, Steps],
    max_suppressed_permille: int,
    into: str,
) -> dict[str, Any]:
    """The same by local recoding; generalised columns become texts that say their width.

    Gives {"rounds": [{"steps", "people"}], "people", "suppressed", "loss", "loss_of"}.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE _deid_rows AS SELECT row_number() OVER () AS _row, * FROM {table}")
    try:
        read = _read(con, "(SELECT * FROM _deid_rows ORDER BY _row)", quasi_identifiers, hierarchies, True)
        people = len(read.columns[0].codes)
        limit = people * max_suppressed_permille // 1000
        for first in (people, limit):  # where the free rounds end with too many left over, the first one is bound too
            of, rounds = _rounds(read, k, first)
            left = int((of < 0).sum())
            if left <= limit:
                break
        if not rounds or left > limit:
            raise _not_reached(people, k)
        chosen = [_steps(quasi_identifiers, hierarchies, node, True) for node in rounds]
        con.register("_deid_of", pa.table({"_row": np.arange(1, people + 1), "_round": of}))
        replaced = ", ".join(f"{_labels(name, chosen)} AS {quote(name)}" for name in hierarchies)
        con.execute(
            f"""CREATE OR REPLACE TEMP TABLE {quote(into)} AS SELECT * EXCLUDE (_row, _round)
            {f"REPLACE ({replaced})" if replaced else ""} FROM _deid_rows JOIN _deid_of USING (_row) WHERE _round >= 0
            ORDER BY _row"""
        )
        con.unregister("_deid_of")
    finally:
        con.execute("DROP TABLE IF EXISTS temp._deid_rows")
    losses = [_loss_of(read, at, of, rounds) for at in range(len(quasi_identifiers))]
    return {
        "rounds": [{"steps": steps, "people": int((of == n).sum())} for n, steps in enumerate(chosen)],
        "people": people,
        "suppressed": left,
        "loss": sum(losses) / len(losses),
        "loss_of": dict(zip(quasi_identifiers, losses, strict=True)),
    }


def _labels(name: str, chosen: Sequence[Mapping[str, Mapping | None]]) -> str:
    cases = " ".join(f"WHEN {n} THEN {hierarchy.label(quote(name), steps[name])}" for n, steps in enumerate(chosen))
    return f"CASE _round {cases} END"


def _rounds(read: _Read, k: int, first: int) -> tuple[np.ndarray, list[lattice.Node]]:
    """(round of each row, -1 for suppressed; the node of each round); the first leaves at most `first` people over."""
    left = np.arange(len(read.columns[0].codes))
    of = np.full(len(left), -1)
    nodes: list[lattice.Node] = []
    while len(left) >= k:
        columns = [Column(c.codes[left], c.levels, c.values) for c in read.columns]
        best = lattice.search(columns, read.levels, k=k, limit=len(left) if nodes else first)
        if best.node is None or best.suppressed == len(left):
            break
        groups = [
            Column(level.codes[s][c.codes], level.sizes[s], c.values)
            for c, level, s in zip(columns, read.levels, best.node, strict=True)
        ]
        _, place, sizes = np.unique(classes.pack(groups)[0], return_inverse=True, return_counts=True)
        safe = sizes[place] >= k
        of[left[safe]] = len(nodes)
        nodes.append(best.node)
        left = left[~safe]
    return of, nodes


def _loss_of(read: _Read, at: int, of: np.ndarray, rounds: Sequence[lattice.Node]) -> float:
    loss = np.ones(len(of))
    for number, node in enumerate(rounds):
        rows = of == number
        loss[rows] = read.levels[at].loss[node[at]][read.columns[at].codes[rows]]
    return float(loss.mean()) if len(of) else 0.0


def _read(
    con: duckdb.DuckDBPyConnection, table: str, names: Sequence[str], hierarchies: Mapping[str, Steps], raw: bool
) -> _Read:
    if unknown := sorted(set(hierarchies) - set(names)):
        raise Problem(
            "no-quasi-identifier",
            N_("{name} has a hierarchy but is no quasi-identifier."),
            where=unknown[0],
            name=unknown[0],
        )
    if not names:
        raise Problem("no-quasi-identifiers", N_("Risk needs at least one quasi-identifier."))
    columns = list(classes.read(con, table, names).values())
    levels = [
        hierarchy.levels(column, hierarchies.get(name, ()), raw=raw or name not in hierarchies, con=con)
        for name, column in zip(names, columns, strict=True)
    ]
    return _Read(columns, levels)


def _steps(
    names: Sequence[str], hierarchies: Mapping[str, Steps], node: lattice.Node, raw: bool
) -> dict[str, Mapping | None]:
    """The step that a node gives each quasi-identifier; None leaves it as it is."""
    found: dict[str, Mapping | None] = {}
    for name, s in zip(names, node, strict=True):
        ladder: list[Mapping | None] = [
            *([None] if raw or not hierarchies.get(name) else []),
            *hierarchies.get(name, ()),
        ]
        found[name] = ladder[s]
    return found


def _not_reached(people: int, k: int) -> Problem:
    return Problem(
        "k-not-reached",
        N_("No allowed generalisation brings these {people} people to k = {k} within the limit of suppression."),
        remedy=N_("Widen the cohort, drop a quasi-identifier, or ask for a federated answer instead."),
        people=people if people >= k else f"< {k}",
        k=k,
    )
