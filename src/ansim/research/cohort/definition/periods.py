"""Overlapping stretches of days joined into one: eras of drugs, and the periods of a cohort."""

from sqlglot import exp

from ansim.research.cohort.definition.events import plus


def joined(rows: exp.Query, pad: int) -> exp.Select:
    """person_id, start_date, end_date of the joined stretches of each person.

    Stretches that overlap, touch, or are at most `pad` days apart become one. Rows of equal start are first made one,
    so each window sorts as little as there is; an island's end is the furthest end before the next one begins.
    """
    starts = (
        exp.select("r.person_id", "r.start_date")
        .select(exp.alias_(plus(exp.func("MAX", exp.column("end_date", "r")), pad), "until"))
        .from_(rows.subquery("r"))
        .group_by("r.person_id", "r.start_date")
    )
    person = "OVER (PARTITION BY s.person_id ORDER BY s.start_date ROWS BETWEEN UNBOUNDED PRECEDING AND"
    reached = (
        exp.select("s.person_id", "s.start_date")
        .select(f"MAX(s.until) {person} 1 PRECEDING) AS before")
        .select(f"MAX(s.until) {person} UNBOUNDED FOLLOWING) AS furthest")
        .from_(starts.subquery("s"))
    )
    islands = (
        exp.select("w.person_id", "w.start_date", "w.furthest")
        .select("LEAD(w.before) OVER (PARTITION BY w.person_id ORDER BY w.start_date) AS until")
        .from_(reached.subquery("w"))
        .where("w.before IS NULL OR w.before < w.start_date")
    )
    end = exp.func("COALESCE", exp.column("until", "i"), exp.column("furthest", "i"))
    return exp.select("i.person_id", "i.start_date", exp.alias_(plus(end, -pad), "end_date")).from_(
        islands.subquery("i")
    )
