"""Sequences of visits as quasi-identifiers: a course over time tells people apart better than age and sex.

Two attackers. One knows the whole course: `courses` makes it one column, and `risk.report` judges it beside others.
The other knows m events of a person, in any order: `known_events` gives the k of k^m-anonymity (Terrovitis, Mamoulis,
Kalnis 2008) and how many people some m events single out. A date shift hides dates but keeps intervals, so by default
an event is a code with the days since the person's first event, in classes of `gap` days.
"""

from collections.abc import Sequence
from typing import Any

import duckdb

from ansim.errors import N_, Problem
from ansim.privacy.deid.sql import first, quote


def courses(
    table: str, *, person: str, date: str, codes: Sequence[str] = (), gap: int = 1, shifted: bool = True
) -> str:
    """SQL in brackets of (person, course): the person's events in order as one text, for `risk.report`.

    table: a name or a query in brackets, a row an event. gap: class width in days. shifted: intervals are known and
    dates are not; else the dates themselves are part of the course. Events without a date keep their place as missing.
    """
    item = _item(date, codes)
    return f"""(SELECT {quote(person)}, string_agg({item}, ';' ORDER BY {item}) AS course
        FROM ({_events(table, person, date, codes, gap, shifted)}) GROUP BY ALL)"""


def known_events(
    con: duckdb.DuckDBPyConnection,
    table: str,
    *,
    person: str,
    date: str,
    codes: Sequence[str] = (),
    m: int = 2,
    gap: int = 1,
    shifted: bool = True,
) -> dict[str, Any]:
    """{"m", "people", "k", "singled_out", "share"}: against who knows any m different events of a person (m of 1 or 2).

    k: the fewest people who share some m events that one person has; a person with fewer than m events is judged by all
    that there are. singled_out: people whom some m of their own events single out.
    """
    if m not in (1, 2):
        raise Problem("too-many-events", N_("Known events are judged for one or two events a person; found {m}."), m=m)
    events = _events(table, person, date, codes, gap, shifted)
    items = f"SELECT DISTINCT {quote(person)} AS p, {_item(date, codes)} AS item FROM ({events})"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE _deid_items AS
        SELECT p, dense_rank() OVER (ORDER BY item) AS i FROM ({items})"""
    )
    try:
        held = "SELECT p, i, NULL AS j FROM _deid_items"
        if m == 2:
            alone = "SELECT p, min(i) AS i, NULL AS j FROM _deid_items GROUP BY p HAVING count(*) = 1"
            pairs = "SELECT a.p, a.i, b.i AS j FROM _deid_items a JOIN _deid_items b ON a.p = b.p AND a.i < b.i"
            held = f"{pairs} UNION ALL {alone}"
        # Someone with one event only is hidden among all who have it, whatever else they have.
        single = "SELECT i, count(*) AS n FROM _deid_items GROUP BY i"
        k, alone_count, people = first(
            con,
            f"""WITH held AS ({held}), sizes AS (
                SELECT i, j, count(*) AS n FROM held WHERE j IS NOT NULL GROUP BY ALL UNION ALL
                SELECT i, NULL, n FROM ({single}) WHERE i IN (SELECT i FROM held WHERE j IS NULL))
            SELECT coalesce(min(n), 0), (SELECT count(DISTINCT p) FROM held JOIN sizes USING (i)
                WHERE n = 1 AND held.j IS NOT DISTINCT FROM sizes.j), (SELECT count(DISTINCT p) FROM _deid_items)
            FROM sizes""",
        )
    finally:
        con.execute("DROP TABLE IF EXISTS temp._deid_items")
    share = alone_count / people if people else 0.0
    return {"m": m, "people": people, "k": k, "singled_out": alone_count, "share": share}


def _events(table: str, person: str, date: str, codes: Sequence[str], gap: int, shifted: bool) -> str:
    day = f"TRY_CAST({quote(date)} AS DATE)"
    since = f"date_diff('day', min({day}) OVER (PARTITION BY {quote(person)}), {day})"
    value = f"{since} // {int(gap)}" if shifted else f"(date_diff('day', DATE '1900-01-01', {day}) // {int(gap)})"
    chosen = "".join(f", {quote(code)}" for code in codes)
    return f"SELECT {quote(person)}, {value} AS {quote(date)}{chosen} FROM {table}"


def _item(date: str, codes: Sequence[str]) -> str:
    """One event as a text, its day in six digits, so that texts sort as days do; a missing part is a value too."""
    day = f"coalesce(lpad({quote(date)}::VARCHAR, 6, '0'), '?')"
    others = [f"coalesce({quote(code)}::VARCHAR, '?')" for code in codes]
    return f"concat_ws('|', {', '.join([day, *others])})"
