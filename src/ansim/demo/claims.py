"""The public body's records: claims for a part of the hospitals' people, and for others whom no hospital here knows.

What a claim says agrees with the hospital record (same day, same code); amounts are made up. A member also has visits
elsewhere, which no hospital's record holds: that is what linking is for.
"""

from pathlib import Path

import duckdb

from ansim.data.cdm import literal
from ansim.data.ingest.periods import add_observation_periods

LINKED_SHARE = 60  # per cent of the people of hospitals B and C
OTHERS = 300  # people of its own at scale 1
FIRST_ID = 700_000_000
CLAIM = 32810  # type concept: claim
COPIED = ("condition_occurrence", "drug_exposure", "procedure_occurrence")


def build_claims(con: duckdb.DuckDBPyConnection, *, hospitals: dict[str, Path], others: int, seed: int) -> None:
    """Fill the open CDM from the hospitals' files {"a": …, "b": …, "c": …}; leaves the temporary table `member`.

    member: (source, source_person, person_id, shift): who of which hospital became whom here; shift is 0 for a linked
    person and the days by which another person's copy was moved.
    """
    for name, path in hospitals.items():
        con.execute(f"ATTACH {literal(str(path))} AS {name} (READ_ONLY)")
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE member AS
        WITH linked AS (
          SELECT 'b' AS source, person_id FROM b.person UNION ALL SELECT 'c', person_id FROM c.person),
        chosen AS (
          SELECT source, person_id, 0 AS shift FROM linked
          WHERE hash(source, person_id, {seed}, 'linked') % 100 < {LINKED_SHARE}
          UNION ALL
          (SELECT source, person_id, 1000 + CAST(hash(source, person_id, {seed}, 'shift') % 2000 AS INTEGER) * -1
           FROM (SELECT 'a' AS source, person_id FROM a.person UNION ALL SELECT 'b', person_id FROM b.person)
           ORDER BY hash(source, person_id, {seed}, 'other') LIMIT {others}))
        SELECT source, person_id AS source_person, shift,
               {FIRST_ID} + row_number() OVER (ORDER BY hash(source, person_id, shift, {seed}, 'id')) AS person_id
        FROM chosen"""
    )
    _people(con)
    _visits(con, seed)
    for table in COPIED:
        _events(con, table)
    add_observation_periods(con, type_concept=CLAIM)
    _costs(con, seed)
    for name in hospitals:
        con.execute(f"DETACH {name}")


def _of_sources(columns: str, table: str) -> str:
    """The table's rows of all three hospitals with the member they belong to."""
    return " UNION ALL ".join(
        f"SELECT {columns}, m.person_id AS member, m.shift, '{name}' AS source FROM {name}.{table} t "
        f"JOIN member m ON m.source = '{name}' AND m.source_person = t.person_id"
        for name in ("a", "b", "c")
    )


def _people(con: duckdb.DuckDBPyConnection) -> None:
    columns = "t.gender_concept_id, t.gender_source_value, t.race_concept_id, t.ethnicity_concept_id, "
    columns += "make_date(t.year_of_birth, coalesce(t.month_of_birth, 7), coalesce(t.day_of_birth, 1)) AS born"
    con.execute(
        f"""INSERT INTO person BY NAME
        SELECT member AS person_id, gender_concept_id, year(birth) AS year_of_birth, month(birth) AS month_of_birth,
               day(birth) AS day_of_birth, birth::TIMESTAMP AS birth_datetime, race_concept_id, ethnicity_concept_id,
               'H' || member AS person_source_value, gender_source_value
        FROM (SELECT *, (born + shift)::DATE AS birth FROM ({_of_sources(columns, "person")})) ORDER BY member"""
    )


def _visits(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    columns = "t.visit_occurrence_id, t.visit_concept_id, t.visit_start_date, t.visit_end_date"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE claim_visit AS
        WITH here AS ({_of_sources(columns, "visit_occurrence")}),
        everywhere AS (
          SELECT *, 0 AS later FROM here
          UNION ALL  -- a visit to another provider some weeks later
          SELECT * REPLACE (NULL AS visit_occurrence_id, 9202 AS visit_concept_id, visit_start_date AS visit_end_date),
                 7 + CAST(hash(member, visit_occurrence_id, {seed}) % 60 AS INTEGER)
          FROM here WHERE hash(visit_occurrence_id, member, {seed}, 'elsewhere') % 100 < 25)
        SELECT row_number() OVER (ORDER BY member, visit_start_date + later, visit_occurrence_id) AS id, source, member,
               visit_occurrence_id AS source_visit, visit_concept_id,
               (visit_start_date + shift + later)::DATE AS first, (visit_end_date + shift + later)::DATE AS last
        FROM everywhere"""
    )
    con.execute(
        f"""INSERT INTO visit_occurrence BY NAME
        SELECT id AS visit_occurrence_id, member AS person_id, visit_concept_id, first AS visit_start_date,
               last AS visit_end_date, {CLAIM} AS visit_type_concept_id FROM claim_visit ORDER BY id"""
    )


def _events(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Copy one event table: own ids, the member's number, moved dates; values that a claim does not carry stay out."""
    stem = table.split("_")[0]
    dates = {
        "condition_occurrence": ("condition_start_date", "condition_end_date"),
        "drug_exposure": ("drug_exposure_start_date", "drug_exposure_end_date"),
        "procedure_occurrence": ("procedure_date",),
    }[table]
    extra = ("days_supply",) if table == "drug_exposure" else ()
    kept = (f"{stem}_concept_id", f"{stem}_source_concept_id", f"{stem}_source_value", *extra)
    columns = ", ".join(f"t.{name}" for name in (f"{table}_id", "visit_occurrence_id", *kept, *dates))
    moved = ", ".join(f"(e.{name} + e.shift)::DATE AS {name}" for name in dates)
    con.execute(
        f"""INSERT INTO {table} BY NAME
        SELECT row_number() OVER (ORDER BY e.member, e.{dates[0]}, e.source, e.{table}_id) AS {table}_id,
               e.member AS person_id, {", ".join(f"e.{name}" for name in kept)}, {moved},
               v.id AS visit_occurrence_id, {CLAIM} AS {stem}_type_concept_id
        FROM ({_of_sources(columns, table)}) e LEFT JOIN claim_visit v
          ON v.source = e.source AND v.member = e.member AND v.source_visit = e.visit_occurrence_id"""
    )


def _costs(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    """One cost row a visit, drug and procedure, in Korean won; the insurer pays seven tenths."""
    con.execute(
        f"""INSERT INTO cost BY NAME
        WITH item AS (
          SELECT visit_occurrence_id AS event, 'Visit' AS domain,
                 CASE visit_concept_id WHEN 9201 THEN 900000 WHEN 9203 THEN 120000 ELSE 25000 END AS usual
          FROM visit_occurrence
          UNION ALL SELECT drug_exposure_id, 'Drug', 12000 FROM drug_exposure
          UNION ALL SELECT procedure_occurrence_id, 'Procedure', 60000 FROM procedure_occurrence),
        amount AS (
          SELECT event, domain, usual,
                 round(usual * exp((hash(event, domain, {seed}) % 2001) / 1000.0 - 1) / 100) * 100 AS total FROM item)
        SELECT row_number() OVER (ORDER BY domain, event) AS cost_id, event AS cost_event_id, domain AS cost_domain_id,
               {CLAIM} AS cost_type_concept_id, total AS total_charge, total AS total_cost, total AS total_paid,
               round(total * 0.7) AS paid_by_payer, total - round(total * 0.7) AS paid_by_patient
        FROM amount"""
    )
