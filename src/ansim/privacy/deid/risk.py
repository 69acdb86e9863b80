"""Re-identification risk of a table of people, and the generalisation that brings it under a site's k.

All set-based in DuckDB, over any quasi-identifiers; the unit is the person, not the row. Sources: k-anonymity
(Sweeney 2002), distinct l-diversity (Machanavajjhala et al. 2007), prosecutor and marketer risk (El Emam 2013).

Missing values are the worst case: a missing quasi-identifier is a category of its own, never a dropped row. Reading it
as a wildcard can only widen a class, so its k is never smaller; it is reported beside, as `k_wildcard`. A missing
sensitive value never counts as a further distinct value.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from ansim.errors import N_, Problem
from ansim.privacy.deid.sql import first, quote


def report(
    con: duckdb.DuckDBPyConnection,
    table: str,
    quasi_identifiers: Sequence[str],
    sensitive: Iterable[str] = (),
    policy: Mapping | None = None,
    *,
    person: str | None = None,
) -> dict[str, Any]:
    """The risk of the people in a table (a name, or a query in brackets) as plain data.

    person: the column that tells people apart where a person has several rows; without it each row is a person.
    policy: {"k": …, "l": …}, both optional. Gives people, classes, k, k_wildcard, l per sensitive column, uniques,
    risks as shares of one (prosecutor_highest = 1/k; marketer, the mean over people = classes / people), distribution
    [{"size", "classes", "people"}], and met with the reasons it is not. No people: k is 0 and the policy is not met.
    """
    _check(quasi_identifiers)
    classes = _classes(table, quasi_identifiers, sensitive, person)
    sizes = con.execute(f"SELECT size, count(*) FROM ({classes}) GROUP BY size ORDER BY size").fetchall()
    counted = f"count(DISTINCT {quote(person)})" if person else "count(*)"
    people, count = _one(con, f"SELECT {counted} FROM {table}"), sum(number for _, number in sizes)
    k = sizes[0][0] if sizes else 0
    diversity = _diversity(con, classes, list(sensitive))
    uniques = sizes[0][1] if k == 1 else 0
    found: dict[str, Any] = {
        "quasi_identifiers": list(quasi_identifiers),
        "people": people,
        "classes": count,
        "k": k,
        "k_wildcard": _wildcard_k(con, classes, quasi_identifiers) if k else 0,
        "l": diversity,
        "uniques": uniques,
        "sample_uniqueness": uniques / people if people else 0.0,
        "prosecutor_highest": 1 / k if k else 0.0,
        "marketer": min(1.0, count / people) if people else 0.0,
        "distribution": [{"size": size, "classes": number, "people": size * number} for size, number in sizes],
    }
    reasons = []
    wanted = dict(policy or {})
    if k < wanted.get("k", 1):
        reasons.append(f"k = {k} < {wanted.get('k', 1)}")
    reasons += [
        f"l({name}) = {value} < {wanted['l']}" for name, value in diversity.items() if value < wanted.get("l", 0)
    ]
    return found | {"met": not reasons, "reasons": reasons}


def compare(before: Mapping, after: Mapping) -> dict[str, dict]:
    """Two reports side by side: {figure: {"before", "after"}}."""
    figures = ("people", "classes", "k", "uniques", "sample_uniqueness", "prosecutor_highest", "marketer")
    return {name: {"before": before[name], "after": after[name]} for name in figures}


def suppress_to_k(
    con: duckdb.DuckDBPyConnection,
    table: str,
    quasi_identifiers: Sequence[str],
    *,
    k: int,
    ladders: Mapping[str, Sequence[int]],
    max_suppressed_permille: int,
    into: str,
) -> dict[str, Any]:
    """Generalise numbers to classes and suppress people left in classes under k; writes the rest to table `into`.

    ladders: for a numeric quasi-identifier its class widths, finest first; 0 is one class for all. Each row of
    `table` is a person. Every combination of widths is judged, and the one with the least loss whose suppression
    stays within the limit is taken: loss is the share of detail given up (mean over the quasi-identifiers of
    width / range, NCP of Xu et al. 2006, a suppressed person counting as all of it).
    Gives {"widths", "people", "suppressed", "loss", "loss_of"}; Problem when no combination suffices.
    """
    _check(quasi_identifiers)
    names = [name for name in quasi_identifiers if name in ladders]
    ranges = {name: _range(con, table, name) for name in names}
    people = _one(con, f"SELECT count(*) FROM {table}")
    best: dict[str, Any] | None = None
    for widths in itertools.product(*(ladders[name] for name in names)):
        chosen = dict(zip(names, widths, strict=True))
        small = _suppressed(con, table, quasi_identifiers, chosen, k)
        if people == 0 or small >= people or small * 1000 > max_suppressed_permille * people:
            continue
        loss_of = {name: _loss(width, ranges[name]) for name, width in chosen.items()}
        share = small / people
        mean = sum(loss_of.values()) / len(quasi_identifiers)
        loss = share + (1 - share) * mean
        if best is None or loss < best["loss"]:
            best = {"widths": chosen, "people": people, "suppressed": small, "loss": loss, "loss_of": loss_of}
    if best is None:
        raise Problem(
            "k-not-reached",
            N_("No allowed generalisation brings these {people} people to k = {k} within the limit of suppression."),
            remedy=N_("Widen the cohort, drop a quasi-identifier, or ask for a federated answer instead."),
            people=people if people >= k else f"< {k}",
            k=k,
        )
    _write(con, table, quasi_identifiers, best["widths"], k, into)
    return best


def bucket(column: str, width: int) -> str:
    """SQL of the class's lower bound; width 1 is the value itself, 0 one class for all (known) values."""
    if width == 0:
        return f"CASE WHEN {quote(column)} IS NOT NULL THEN 0 END"
    return f"(floor({quote(column)} / {int(width)}) * {int(width)})::BIGINT"


def _check(quasi_identifiers: Sequence[str]) -> None:
    if not quasi_identifiers:
        raise Problem("no-quasi-identifiers", N_("Risk needs at least one quasi-identifier."))


def _classes(table: str, columns: Sequence[str], sensitive: Iterable[str], person: str | None) -> str:
    """SQL of the classes: one row each with its size in people and, per sensitive column, its distinct values."""
    keys = ", ".join(map(quote, columns))
    size = f"count(DISTINCT {quote(person)})" if person else "count(*)"
    distinct = "".join(f", greatest(count(DISTINCT {quote(name)}), 1) AS {quote('l:' + name)}" for name in sensitive)
    return f"SELECT {keys}, {size} AS size{distinct} FROM {table} GROUP BY ALL"


def _diversity(con: duckdb.DuckDBPyConnection, classes: str, sensitive: list[str]) -> dict[str, int]:
    if not sensitive:
        return {}
    columns = ", ".join(f"coalesce(min({quote('l:' + name)}), 0)" for name in sensitive)
    return dict(zip(sensitive, first(con, f"SELECT {columns} FROM ({classes})"), strict=True))


def _wildcard_k(con: duckdb.DuckDBPyConnection, classes: str, columns: Sequence[str]) -> int:
    """The smallest class when a missing value may stand for any value; only classes with holes can add to others."""
    holes = " OR ".join(f"{quote(name)} IS NULL" for name in columns)
    agree = " AND ".join(f"(a.{q} IS NULL OR b.{q} IS NULL OR a.{q} = b.{q})" for q in map(quote, columns))
    return _one(
        con,
        f"""WITH classes AS MATERIALIZED (SELECT row_number() OVER () AS id, * FROM ({classes})),
        holes AS (SELECT * FROM classes WHERE {holes}),
        whole AS (SELECT * FROM classes WHERE NOT ({holes})),
        sizes AS (SELECT a.id, a.size + coalesce(sum(b.size), 0) AS size FROM whole a LEFT JOIN holes b ON {agree}
                  GROUP BY a.id, a.size
                  UNION ALL SELECT a.id, sum(b.size) FROM holes a JOIN classes b ON {agree} GROUP BY a.id)
        SELECT min(size)::BIGINT FROM sizes""",
    )


def _keys(columns: Sequence[str], widths: Mapping[str, int]) -> list[str]:
    return [bucket(name, widths[name]) if name in widths else quote(name) for name in columns]


def _suppressed(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], widths: Mapping[str, int], k: int
) -> int:
    keys = ", ".join(_keys(columns, widths))
    classes = f"SELECT count(*) AS size FROM {table} GROUP BY {keys}"
    return _one(con, f"SELECT coalesce(sum(size), 0)::BIGINT FROM ({classes}) WHERE size < {int(k)}")


def _write(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], widths: Mapping[str, int], k: int, into: str
) -> None:
    changed = ", ".join(f"{bucket(name, width)} AS {quote(name)}" for name, width in widths.items())
    replaced = f"* REPLACE ({changed})" if changed else "*"
    keys = ", ".join(_keys(columns, widths))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE {quote(into)} AS
        SELECT {replaced} FROM {table} QUALIFY count(*) OVER (PARTITION BY {keys}) >= {int(k)}"""
    )


def _loss(width: int, extent: int) -> float:
    """The share of a variable's detail that classes of a width give up: 0 for single values, 1 for one class."""
    if extent <= 1:
        return 0.0
    return 1.0 if width == 0 else min(1.0, (width - 1) / (extent - 1))


def _range(con: duckdb.DuckDBPyConnection, table: str, column: str) -> int:
    return _one(con, f"SELECT coalesce(max({quote(column)}) - min({quote(column)}) + 1, 0)::BIGINT FROM {table}")


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    return first(con, sql)[0]
