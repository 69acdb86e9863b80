"""Pieces of statements that the compiler of queries and that of variables share."""

from sqlglot import exp

from ansim.research.cohort.query import Window


def select_(*columns: str) -> exp.Select:
    return exp.select(*columns, dialect="duckdb")


def after_entry(column: str = "start_date") -> exp.DateDiff:
    """Days from the entry of `c` to this day of the event `e`."""
    return exp.DateDiff(this=exp.column(column, "e"), expression=exp.column("start_date", "c"), unit=exp.var("DAY"))


def inside(window: Window) -> exp.Condition:
    """The event `e` is of the person of `c` and inside the window around the entry date."""
    days = after_entry()
    within: exp.Condition = exp.column("person_id", "e").eq(exp.column("person_id", "c"))
    if window.from_days is not None:
        within = exp.and_(within, days >= window.from_days)
    if window.to_days is not None:
        within = exp.and_(within, days.copy() <= window.to_days)
    return within


def earliest(rows: exp.Select, columns: tuple[str, ...], order: str = "start_date") -> exp.Select:
    """One row a person: the first in this order."""
    rank = f"ROW_NUMBER() OVER (PARTITION BY q.person_id ORDER BY {order}) AS place"
    ranked = select_("q.*", rank).from_(rows.subquery("q"))
    return select_(*(f"w.{name}" for name in columns)).from_(ranked.subquery("w")).where("w.place = 1")
