"""Condition, drug and dose eras from the events of an open CDM, by the OHDSI conventions, set by set.

Source: the era definitions of OMOP CDM 5.4 (https://ohdsi.github.io/CommonDataModel/cdm54.html#CONDITION_ERA and the
sections after it). Spans of one person and one concept become one era while no gap between them is longer than 30 days.
A span without an end counts one day (a drug: its days of supply). A drug counts for its ingredients
(concept_ancestor); an exposure whose concept has none here is left out of drug_era, as the convention has it.
Dose: amount per unit of drug_strength times quantity, by day of supply; eras of one dose and unit.
"""

import duckdb

GAP = 30  # days
_DRUG_END = """coalesce(drug_exposure_end_date, drug_exposure_start_date + days_supply::INTEGER,
  drug_exposure_start_date + 1)"""
_INGREDIENT = """
  SELECT a.descendant_concept_id AS drug, a.ancestor_concept_id AS ingredient FROM concept_ancestor a
  JOIN concept i ON i.concept_id = a.ancestor_concept_id WHERE i.concept_class_id = 'Ingredient'
    AND i.standard_concept = 'S'
  UNION SELECT concept_id, concept_id FROM concept WHERE concept_class_id = 'Ingredient' AND standard_concept = 'S'"""
_CONDITIONS = """
  SELECT person_id, condition_concept_id AS what, condition_start_date AS first,
         greatest(coalesce(condition_end_date, condition_start_date + 1), condition_start_date) AS last
  FROM condition_occurrence WHERE condition_concept_id > 0 AND condition_start_date IS NOT NULL"""
_DRUGS = f"""
  SELECT person_id, i.ingredient AS what, drug_exposure_start_date AS first,
         greatest({_DRUG_END}, drug_exposure_start_date) AS last
  FROM drug_exposure JOIN ({_INGREDIENT}) i ON i.drug = drug_concept_id
  WHERE drug_concept_id > 0 AND drug_exposure_start_date IS NOT NULL"""
_DOSES = f"""
  SELECT person_id, s.ingredient_concept_id AS drug, coalesce(s.amount_unit_concept_id, s.numerator_unit_concept_id)
           AS unit,
         round(coalesce(s.amount_value, s.numerator_value / nullif(coalesce(s.denominator_value, 1), 0)) * quantity
           / days_supply, 6) AS dose,
         drug_exposure_start_date AS first, greatest({_DRUG_END}, drug_exposure_start_date) AS last
  FROM drug_exposure JOIN drug_strength s USING (drug_concept_id)
  WHERE drug_concept_id > 0 AND quantity > 0 AND days_supply > 0 AND drug_exposure_start_date IS NOT NULL
    AND coalesce(s.amount_unit_concept_id, s.numerator_unit_concept_id) IS NOT NULL
    AND coalesce(s.amount_value, s.numerator_value) > 0"""


def _spans(source: str, by: str) -> str:
    """Each span with the number of its era; a gap is counted from the latest end so far, not the last one's."""
    return f"""
    WITH span AS ({source}),
    started AS (
      SELECT *, CASE WHEN first <= max(last) OVER (PARTITION BY person_id, {by} ORDER BY first, last
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + {GAP} THEN 0 ELSE 1 END AS fresh FROM span)
    SELECT *, sum(fresh) OVER (PARTITION BY person_id, {by} ORDER BY first, last ROWS UNBOUNDED PRECEDING) AS era
    FROM started"""


def add_condition_eras(con: duckdb.DuckDBPyConnection) -> None:
    """Replace condition_era."""
    con.execute("DELETE FROM condition_era")
    con.execute(
        "INSERT INTO condition_era SELECT row_number() OVER (ORDER BY person_id, what, min(first)), person_id, what, "
        f"min(first), max(last), count(*) FROM ({_spans(_CONDITIONS, 'what')}) GROUP BY person_id, what, era"
    )


def add_drug_eras(con: duckdb.DuckDBPyConnection) -> None:
    """Replace drug_era. gap_days: days of the era on which no exposure ran (overlaps count once)."""
    con.execute("DELETE FROM drug_era")
    con.execute(
        f"""INSERT INTO drug_era
        WITH spans AS ({_spans(_DRUGS, "what")}),
        fresh_days AS (
          SELECT *, greatest(0, last - greatest(first, coalesce(max(last) OVER (PARTITION BY person_id, what, era
            ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), first))) AS days FROM spans)
        SELECT row_number() OVER (ORDER BY person_id, what, min(first)), person_id, what, min(first), max(last),
               count(*), (max(last) - min(first)) - sum(days) FROM fresh_days GROUP BY person_id, what, era"""
    )


def add_dose_eras(con: duckdb.DuckDBPyConnection) -> None:
    """Replace dose_era; empty where there is no drug_strength."""
    con.execute("DELETE FROM dose_era")
    con.execute(
        "INSERT INTO dose_era SELECT row_number() OVER (ORDER BY person_id, drug, unit, dose, min(first)), person_id, "
        f"drug, unit, dose, min(first), max(last) FROM ({_spans(_DOSES, 'drug, unit, dose')}) "
        "GROUP BY person_id, drug, unit, dose, era"
    )


def add_eras(con: duckdb.DuckDBPyConnection) -> None:
    add_condition_eras(con)
    add_drug_eras(con)
    add_dose_eras(con)
