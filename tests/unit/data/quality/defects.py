"""What goes wrong in a hospital's data, planted into a clean hospital at a known rate.

A case says what is wrong (aspect), where (table, field) and how it is planted: SQL in which {pick} takes a random
share {rate} of the rows and {seed} makes the choice repeatable. `implies` names what is then truly wrong elsewhere
too; finding that is no false alarm. Written and committed before the detector: no threshold here is one of its own.
"""

from dataclasses import dataclass

import duckdb
import hospital as h

Place = tuple[str, str, str]  # aspect, table, field


@dataclass(frozen=True)
class Defect:
    aspect: str
    table: str
    field: str
    rate: float  # share of rows (or of people, or of rows of one concept) that are touched; 1 where it is a yes or no
    plant: str
    implies: frozenset[Place] = frozenset()

    @property
    def place(self) -> Place:
        return self.aspect, self.table, self.field

    def put_into(self, con: duckdb.DuckDBPyConnection, seed: int) -> None:
        pick = f"hash(rowid * 31 + {seed}) % 100000 < {round(self.rate * 100000)}"
        for statement in self.plant.split(";"):
            con.execute(statement.format(pick=pick, rate=self.rate, seed=seed))


def _defect(aspect: str, where: str, rate: float, plant: str, *implies: str) -> Defect:
    table, _, field = where.partition(".")
    places = frozenset((a, *(w.split(".") if "." in w else (w, ""))) for a, _, w in (i.partition(" ") for i in implies))
    return Defect(aspect, table, field, rate, plant, places)


def _set(table: str, value: str, where: str = "TRUE") -> str:
    return f"UPDATE {table} SET {value} WHERE {{pick}} AND {where}"


def _swap(table: str, concept: str, new: int, old: int, sex: int, ages: str, share: float) -> str:
    """Give people of the other sex (or another age) a code, as many as `share` of its rows."""
    return (
        f"UPDATE {table} SET {concept} = {new} WHERE rowid IN (SELECT c.rowid FROM {table} c JOIN person p USING "
        f"(person_id) WHERE c.{concept} = {old} AND p.gender_concept_id = {sex} AND {ages} ORDER BY hash(c.rowid * 31 "
        f"+ {{seed}}) LIMIT (SELECT ceil({share} * count(*)) FROM {table} WHERE {concept} = {new}))"
    )


def _again(table: str, key: str) -> str:
    """Some rows once more, with new keys."""
    return (
        f"INSERT INTO {table} SELECT * REPLACE ((SELECT max({key}) FROM {table}) + row_number() OVER () AS {key}) "
        f"FROM {table} WHERE {{pick}}"
    )


NOW = "DATE '2031-03-01'"

DEFECTS = [
    # what must be there
    _defect("missing", "condition_occurrence.condition_type_concept_id", 0.03,
            _set("condition_occurrence", "condition_type_concept_id = NULL")),
    _defect("missing", "visit_occurrence.visit_end_date", 0.03, _set("visit_occurrence", "visit_end_date = NULL")),
    _defect("missing", "procedure_occurrence.person_id", 0.02, _set("procedure_occurrence", "person_id = NULL")),
    _defect("absent", "note_nlp", 1, "DROP TABLE note_nlp"),
    _defect("absent", "provider.dea", 1, "ALTER TABLE provider DROP COLUMN dea"),
    _defect("type", "condition_era.condition_occurrence_count", 0.05,
            "ALTER TABLE condition_era ALTER condition_occurrence_count TYPE DOUBLE;"
            + _set("condition_era", "condition_occurrence_count = condition_occurrence_count + 0.5")),
    # keys and references
    _defect("duplicate", "drug_exposure.drug_exposure_id", 0.02,
            _set("drug_exposure", "drug_exposure_id = drug_exposure_id - 1", "drug_exposure_id > 1")),
    _defect("duplicate", "observation.observation_id", 0.02,
            _set("observation", "observation_id = observation_id - 1", "observation_id > 1")),
    _defect("orphan", "condition_occurrence.visit_occurrence_id", 0.04,
            _set("condition_occurrence", "visit_occurrence_id = visit_occurrence_id + 7000000")),
    _defect("orphan", "drug_exposure.provider_id", 0.04, _set("drug_exposure", "provider_id = 5151")),
    _defect("orphan", "observation.person_id", 0.03, _set("observation", "person_id = person_id + 7000000")),
    _defect("orphan", "measurement.measurement_source_concept_id", 0.03,
            _set("measurement", "measurement_source_concept_id = 66600001")),
    # codes
    _defect("wrong-domain", "condition_occurrence.condition_concept_id", 0.02,
            _set("condition_occurrence", f"condition_concept_id = {h.NAPROXEN[0]}",
                 f"condition_concept_id = {h.SINUSITIS}")),
    _defect("wrong-class", "drug_era.drug_concept_id", 0.03,
            _set("drug_era", f"drug_concept_id = {h.IBUPROFEN[0]}")),
    _defect("not-standard", "procedure_occurrence.procedure_concept_id", 0.03,
            _set("procedure_occurrence", f"procedure_concept_id = {h.OLD_CODE}", f"procedure_concept_id = {h.XRAY}")),
    _defect("not-standard", "drug_exposure.drug_concept_id", 0.03,
            _set("drug_exposure", f"drug_concept_id = {h.OLD_DRUG}")),
    _defect("unmapped", "observation.observation_concept_id", 0.08,
            _set("observation", "observation_concept_id = 0")),
    _defect("unmapped", "measurement.unit_concept_id", 0.10,
            _set("measurement", "unit_concept_id = NULL",
                 f"measurement_concept_id IN ({h.GLUCOSE}, {h.PRESSURE}, {h.HEIGHT})")),
    _defect("unmapped-sources", "procedure_occurrence.procedure_source_value", 0.35,
            "UPDATE procedure_occurrence SET procedure_concept_id = 0 WHERE hash(procedure_source_value, {seed}) % 100 "
            "< 100 * {rate}", "unmapped procedure_occurrence.procedure_concept_id"),
    # people without what each must have
    _defect("no-rows", "observation_period", 0.02, "DELETE FROM observation_period WHERE {pick}"),
    _defect("no-era", "condition_era", 0.03,
            "DELETE FROM condition_era WHERE person_id IN (SELECT person_id FROM person WHERE {pick})"),
    _defect("overlap", "observation_period", 0.02,
            "INSERT INTO observation_period SELECT observation_period_id + 500000, person_id, "
            "observation_period_start_date + 30, observation_period_end_date - 10, period_type_concept_id "
            "FROM observation_period WHERE {pick}"),
    # what cannot be
    _defect("range", "person.year_of_birth", 0.02, _set("person", "year_of_birth = year_of_birth + 100")),
    _defect("range", "drug_exposure.days_supply", 0.03, _set("drug_exposure", "days_supply = 999")),
    _defect("range", "drug_exposure.quantity", 0.03, _set("drug_exposure", "quantity = -1")),
    _defect("range", "visit_occurrence.visit_start_date", 0.02,
            _set("visit_occurrence", "visit_start_date = DATE '1901-01-01'"),
            "before-birth visit_occurrence.visit_start_date", "outside-period visit_occurrence.visit_start_date"),
    _defect("range", "procedure_occurrence.procedure_date", 0.02,
            _set("procedure_occurrence", f"procedure_date = {NOW}, procedure_end_date = {NOW}"),
            "range procedure_occurrence.procedure_end_date", "outside-visit procedure_occurrence.procedure_date",
            "outside-period procedure_occurrence.procedure_date", "after-death procedure_occurrence.procedure_date",
            "after-death procedure_occurrence.procedure_end_date"),
    _defect("order", "drug_exposure.drug_exposure_start_date", 0.03,
            _set("drug_exposure", "drug_exposure_end_date = drug_exposure_start_date - 3"),
            "before-birth drug_exposure.drug_exposure_end_date"),
    _defect("order", "measurement.range_low", 0.05,
            _set("measurement", "range_low = range_high, range_high = range_low")),
    _defect("before-birth", "condition_occurrence.condition_start_date", 0.03,
            "UPDATE condition_occurrence SET condition_start_date = CAST(p.birth_datetime AS DATE) - 40 FROM person p "
            "WHERE p.person_id = condition_occurrence.person_id AND "
            "hash(condition_occurrence.condition_occurrence_id * 31 + {seed}) % 1000 < 1000 * {rate} "
            "AND p.year_of_birth > 1951",
            "outside-visit condition_occurrence.condition_start_date",
            "outside-period condition_occurrence.condition_start_date"),
    _defect("after-death", "observation.observation_date", 0.04,
            "UPDATE observation SET observation_date = d.death_date + 120 FROM death d WHERE d.person_id = "
            "observation.person_id", "outside-visit observation.observation_date",
            "outside-period observation.observation_date"),
    _defect("outside-visit", "measurement.measurement_date", 0.12,
            _set("measurement", "measurement_date = measurement_date + 25",
                 "measurement_date < DATE '2020-01-01' AND person_id NOT IN (SELECT person_id FROM death)")),
    _defect("outside-period", "drug_exposure.drug_exposure_start_date", 0.05,
            _set("drug_exposure", "drug_exposure_start_date = DATE '2014-11-15'"),
            "outside-visit drug_exposure.drug_exposure_start_date",
            "before-birth drug_exposure.drug_exposure_start_date"),
    _defect("wrong-sex", "condition_occurrence.condition_concept_id", 0.15,
            _swap("condition_occurrence", "condition_concept_id", h.PROSTATE, h.HYPERTENSION, h.FEMALE, "TRUE", 0.15)),
    _defect("wrong-sex", "procedure_occurrence.procedure_concept_id", 0.15,
            _swap("procedure_occurrence", "procedure_concept_id", h.HYSTERECTOMY, h.COLONOSCOPY, h.MALE, "TRUE", 0.15)),
    _defect("wrong-age", "condition_occurrence.condition_concept_id", 0.12,
            _swap("condition_occurrence", "condition_concept_id", h.OTITIS, h.DIABETES, h.MALE,
                  "p.year_of_birth < 1955", 0.5)),
    _defect("wrong-unit", "measurement.unit_concept_id", 0.12,
            _set("measurement", "unit_concept_id = 8582", f"measurement_concept_id = {h.HAEMOGLOBIN}")),
    # values
    _defect("unit-mixed", "measurement.value_as_number", 0.12,
            _set("measurement", "value_as_number = round(value_as_number * 2.2046, 1)",
                 f"measurement_concept_id = {h.WEIGHT}")),
    _defect("unit-mixed", "measurement.value_as_number", 0.12,
            _set("measurement", "value_as_number = round(value_as_number / 18.016, 2)",
                 f"measurement_concept_id = {h.GLUCOSE}")),
    _defect("placeholder", "measurement.value_as_number", 0.05,
            _set("measurement", "value_as_number = 9999", f"measurement_concept_id = {h.PRESSURE}")),
    _defect("placeholder", "person.birth_datetime", 0.10,
            _set("person", "birth_datetime = make_timestamp(year_of_birth, 1, 1, 0, 0, 0), month_of_birth = 1, "
                 "day_of_birth = 1")),
    # change since the last version
    _defect("emptied", "condition_occurrence.condition_source_value", 0.25,
            _set("condition_occurrence", "condition_source_value = NULL")),
    _defect("emptied", "measurement.value_as_number", 0.15, _set("measurement", "value_as_number = NULL")),
    _defect("lost", "drug_exposure", 0.30, "DELETE FROM drug_exposure WHERE {pick}"),
    _defect("lost", "observation", 0.35, "DELETE FROM observation WHERE {pick}"),
    _defect("gap", "procedure_occurrence.procedure_date", 0.02,
            "DELETE FROM procedure_occurrence WHERE procedure_date BETWEEN DATE '2019-03-01' AND DATE '2019-05-15'"),
    _defect("gap", "measurement.measurement_date", 0.02,
            "DELETE FROM measurement WHERE measurement_date BETWEEN DATE '2018-08-01' AND DATE '2018-09-30'"),
    _defect("code-moved", "condition_occurrence.condition_concept_id", 1,
            f"UPDATE condition_occurrence SET condition_concept_id = {h.SINUSITIS} "
            f"WHERE condition_concept_id = {h.ASTHMA}"),
    # people and identifiers
    _defect("twins", "person", 0.03,
            "INSERT INTO person SELECT * REPLACE (person_id + 400000 AS person_id) FROM person WHERE {pick};"
            "INSERT INTO observation_period SELECT * REPLACE (person_id + 400000 AS person_id, observation_period_id + "
            "400000 AS observation_period_id) FROM observation_period WHERE person_id + 400000 IN "
            "(SELECT person_id FROM person);"
            "INSERT INTO visit_occurrence SELECT * REPLACE (person_id + 400000 AS person_id, visit_occurrence_id + "
            "4000000 AS visit_occurrence_id) FROM visit_occurrence WHERE person_id + 400000 IN "
            "(SELECT person_id FROM person)"),
    _defect("copies", "drug_exposure", 0.04, _again("drug_exposure", "drug_exposure_id")),
    _defect("copies", "measurement", 0.04, _again("measurement", "measurement_id")),
    _defect("identifier", "observation.value_as_string", 0.02,
            _set("observation", "value_as_string = '850' || lpad(CAST(hash(rowid) % 90 + 101 AS VARCHAR), 3, '0') || "
                 "'-1' || lpad(CAST(hash(rowid, 2) % 1000000 AS VARCHAR), 6, '0')")),
    _defect("identifier", "condition_occurrence.stop_reason", 0.02,
            _set("condition_occurrence", "stop_reason = '010-' || (2000 + hash(rowid) % 7000) || '-' || (1000 + "
                 "hash(rowid, 3) % 9000)")),
    _defect("identifier", "measurement.value_source_value", 0.02,
            _set("measurement", "value_source_value = 'user' || rowid || '@mail.example'")),
    _defect("identifier", "provider.provider_name", 1,
            "UPDATE provider SET provider_name = (['김서연', '박지훈', '이하준', '최민서'])[1 + provider_id % 4]"),
]  # fmt: skip
