"""Observation periods for sources that have none: from a person's first to last record."""

import duckdb

from ansim.data.cdm import EVENTS


def add_observation_periods(con: duckdb.DuckDBPyConnection, *, type_concept: int) -> None:
    """Add one period a person, over all events but deaths (a death alone says nothing about having been observed)."""
    spans = " UNION ALL ".join(
        f"SELECT person_id, {event.start} AS first, {event.start} AS last FROM {event.table}"
        for event in EVENTS.values()
        if event.kind not in {"death", "visit"}
    )
    con.execute(
        "INSERT INTO observation_period SELECT row_number() OVER (ORDER BY person_id), person_id, min(first), "
        f"max(last), {type_concept} FROM ({spans} UNION ALL SELECT person_id, visit_start_date, "
        "greatest(visit_start_date, visit_end_date) FROM visit_occurrence) WHERE first IS NOT NULL GROUP BY person_id"
    )
