"""A clean, invented hospital: some people, eight years of care, nothing wrong with it. Every seed is another hospital.

Sizes, ages, code frequencies and means differ from seed to seed, as they do between hospitals; what a checker should
find is planted afterwards (`defects.py`).
"""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from ansim.data.cdm import create_tables

FIRST, LAST, EARLIER = date(2015, 1, 1), date(2022, 12, 31), date(2022, 6, 30)
MALE, FEMALE, EHR = 8507, 8532, 32817
SINUSITIS, OTITIS, ASTHMA, HYPERTENSION, DIABETES, PROSTATE, UTERUS = (
    40481087, 372328, 317009, 320128, 201826, 198803, 200461)  # fmt: skip
ECG, COLONOSCOPY, XRAY, HYSTERECTOMY = 4145308, 4249893, 4056681, 4127886
NAPROXEN, IBUPROFEN, PARACETAMOL = (1115171, 1115008), (19078461, 1177480), (1127433, 1125315)
WEIGHT, HEIGHT, PRESSURE, HAEMOGLOBIN, GLUCOSE = 3025315, 3036277, 3004249, 3000963, 3004501
UNITS = {WEIGHT: 9529, HEIGHT: 8582, PRESSURE: 8876, HAEMOGLOBIN: 8713, GLUCOSE: 8840}
SMOKING, ALLERGY = 4144272, 439224
OLD_DRUG, OLD_CODE, OLD_TEST = 911001, 911002, 911003  # withdrawn or non-standard

CONCEPTS = [
    *[(id, "Condition", "Clinical Finding", "S", None)
      for id in (SINUSITIS, OTITIS, ASTHMA, HYPERTENSION, DIABETES, PROSTATE, UTERUS)],
    *[(id, "Procedure", "Procedure", "S", None) for id in (ECG, COLONOSCOPY, XRAY, HYSTERECTOMY)],
    *[(id, "Drug", "Clinical Drug", "S", None) for id, _ in (NAPROXEN, IBUPROFEN, PARACETAMOL)],
    *[(id, "Drug", "Ingredient", "S", None) for _, id in (NAPROXEN, IBUPROFEN, PARACETAMOL)],
    *[(id, "Measurement", "Lab Test", "S", None) for id in UNITS],
    *[(id, "Unit", "Unit", "S", None) for id in (*UNITS.values(), 8739, 8753)],
    *[(id, "Observation", "Clinical Finding", "S", None) for id in (SMOKING, ALLERGY)],
    (MALE, "Gender", "Gender", "S", None), (FEMALE, "Gender", "Gender", "S", None),
    (8515, "Race", "Race", "S", None), (38003564, "Ethnicity", "Ethnicity", "S", None),
    (9201, "Visit", "Visit", "S", None), (9202, "Visit", "Visit", "S", None),
    (EHR, "Type Concept", "Type Concept", "S", None), (756265, "Metadata", "CDM", "S", None),
    (0, "Metadata", "Undefined", None, None),
    (OLD_DRUG, "Drug", "Clinical Drug", None, None), (OLD_CODE, "Procedure", "Procedure", None, None),
    (OLD_TEST, "Measurement", "Lab Test", "S", "D"),
]  # fmt: skip


def hospital(seed: int, people: int = 900) -> duckdb.DuckDBPyConnection:
    """A CDM in memory."""
    con = duckdb.connect(config={"threads": 2})
    create_tables(con)
    rng = np.random.default_rng(seed)
    _vocabulary(con)
    persons = _people(con, rng, people)
    visits = _visits(con, rng, persons)
    _conditions(con, rng, visits)
    _drugs(con, rng, visits)
    _measurements(con, rng, visits)
    _procedures(con, rng, visits)
    _observations(con, rng, visits)
    return con


def earlier(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same hospital half a year before: what was recorded until then."""
    old = duckdb.connect(config={"threads": 2})
    create_tables(old)
    days = {
        "visit_occurrence": "visit_start_date", "condition_occurrence": "condition_start_date",
        "drug_exposure": "drug_exposure_start_date", "measurement": "measurement_date",
        "procedure_occurrence": "procedure_date", "observation": "observation_date", "death": "death_date",
    }  # fmt: skip
    for (table,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE estimated_size > 0").fetchall():
        until = f" WHERE {days[table]} <= DATE '{EARLIER}'" if table in days else ""
        _insert(old, table, con.sql(f"SELECT * FROM {table}{until}").to_arrow_table())
    old.execute(
        f"UPDATE observation_period SET observation_period_end_date = least(observation_period_end_date, '{EARLIER}')"
    )
    return old


def _vocabulary(con: duckdb.DuckDBPyConnection) -> None:
    for id, domain, kind, standard, invalid in CONCEPTS:
        con.execute(
            "INSERT INTO concept VALUES (?, ?, ?, 'Invented', ?, ?, ?, DATE '1970-01-01', DATE '2099-12-31', ?)",
            [id, f"concept {id}", domain, kind, standard, f"C{id}", invalid],
        )
        con.execute("INSERT INTO concept_ancestor VALUES (?, ?, 0, 0)", [id, id])
    con.execute(
        "INSERT INTO cdm_source BY NAME SELECT 'Hospital A' AS cdm_source_name, 'A' AS cdm_source_abbreviation, "
        "'Invented' AS cdm_holder, 'none' AS source_description, DATE '2023-01-01' AS source_release_date, "
        "DATE '2023-01-02' AS cdm_release_date, '5.4' AS cdm_version, 756265 AS cdm_version_concept_id, "
        "'v1' AS vocabulary_version"
    )
    con.execute("INSERT INTO location (location_id) VALUES (1)")
    con.execute("INSERT INTO care_site (care_site_id, location_id) VALUES (1, 1)")
    con.execute("INSERT INTO provider (provider_id, care_site_id) SELECT i, 1 FROM range(1, 21) t(i)")


def _people(con, rng, people: int) -> dict[str, np.ndarray]:
    id = np.arange(1, people + 1)
    age = rng.normal(rng.uniform(40, 50), 21, people)  # at FIRST
    age = np.where((age < 1) | (age > 92), rng.uniform(1, 92, people), age)  # no heap at the ends
    born = np.datetime64(FIRST) - (age * 365.25).astype(int)
    sex = np.where(rng.random(people) < rng.uniform(0.46, 0.54), MALE, FEMALE)
    start = np.datetime64(FIRST) + rng.integers(0, 500, people)
    end = np.datetime64(LAST) - rng.integers(0, 300, people)
    dead = rng.random(people) < 0.06
    end = np.where(dead, start + rng.integers(700, 2200, people), end)
    year, month = born.astype("M8[Y]").astype(int) + 1970, born.astype("M8[M]").astype(int) % 12 + 1
    day = (born - born.astype("M8[M]")).astype(int) + 1
    _insert(con, "person", pa.table({
        "person_id": id, "gender_concept_id": sex, "year_of_birth": year, "month_of_birth": month, "day_of_birth": day,
        "birth_datetime": born.astype("M8[us]"), "race_concept_id": np.full(people, 8515),
        "ethnicity_concept_id": np.full(people, 38003564), "location_id": np.ones(people, int),
        "provider_id": rng.integers(1, 21, people), "care_site_id": np.ones(people, int),
        "person_source_value": [f"S{value:08d}" for value in rng.integers(0, 10**8, people)],
        "gender_source_value": np.where(sex == MALE, "M", "F"), "race_source_value": np.full(people, "asian"),
        "ethnicity_source_value": np.full(people, "not hispanic"),
    }))  # fmt: skip
    _insert(con, "observation_period", pa.table({
        "observation_period_id": id, "person_id": id, "observation_period_start_date": start,
        "observation_period_end_date": end, "period_type_concept_id": np.full(people, EHR),
    }))  # fmt: skip
    _insert(con, "death", pa.table({
        "person_id": id[dead], "death_date": end[dead], "death_type_concept_id": np.full(dead.sum(), EHR),
    }))  # fmt: skip
    return {"id": id, "born": born, "sex": sex, "start": start, "end": end}


def _visits(con, rng, persons: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    each = 1 + rng.poisson(rng.uniform(7, 9), len(persons["id"]))
    who = np.repeat(np.arange(len(persons["id"])), each)
    span = (persons["end"] - persons["start"]).astype(int)[who] - 6
    start = persons["start"][who] + (rng.random(len(who)) * span).astype(int)
    inpatient = rng.random(len(who)) < 0.15
    stay = np.where(inpatient, rng.integers(1, 6, len(who)), 0)
    id = np.arange(1, len(who) + 1)
    _insert(con, "visit_occurrence", pa.table({
        "visit_occurrence_id": id, "person_id": persons["id"][who], "visit_start_date": start,
        "visit_concept_id": np.where(inpatient, 9201, 9202), "visit_end_date": start + stay,
        "visit_type_concept_id": np.full(len(who), EHR), "provider_id": rng.integers(1, 21, len(who)),
        "care_site_id": np.ones(len(who), int), "visit_source_value": np.where(inpatient, "IN", "OUT"),
        "visit_source_concept_id": np.where(inpatient, 9201, 9202),
    }))  # fmt: skip
    age = (start - persons["born"][who]).astype(int) / 365.25
    return {"id": id, "person": persons["id"][who], "day": start, "stay": stay, "age": age, "sex": persons["sex"][who]}


def _some(rng, visits, share: float) -> dict[str, np.ndarray]:
    """A share of the visits, with the day of an event in each."""
    chosen = rng.random(len(visits["id"])) < share
    some = {name: values[chosen] for name, values in visits.items()}
    some["day"] = some["day"] + (rng.random(chosen.sum()) * (some["stay"] + 1)).astype(int)
    some["row"] = np.arange(1, chosen.sum() + 1)
    return some


def _draw(rng, options: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """For each row one of the codes, by weights that differ from row to row and from hospital to hospital."""
    weights = np.stack([rng.uniform(0.8, 1.25) * weight for _, weight in options], axis=1)
    edges = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    return np.array([code for code, _ in options])[(rng.random((len(edges), 1)) > edges).sum(axis=1)]


def _conditions(con, rng, visits) -> None:
    at = _some(rng, visits, 0.8)
    age, man = at["age"], at["sex"] == MALE
    code = _draw(rng, [
        (SINUSITIS, np.full(len(age), 2.0)), (OTITIS, np.where(age < 16, 3.0, 0.0)), (ASTHMA, np.full(len(age), 0.8)),
        (HYPERTENSION, np.where(age > 35, 2.0, 0.0)), (DIABETES, np.where(age > 30, 1.5, 0.0)),
        (PROSTATE, np.where(man & (age > 50), 1.5, 0.0)), (UTERUS, np.where(~man & (age > 18) & (age < 55), 1.5, 0.0)),
    ])  # fmt: skip
    _insert(con, "condition_occurrence", pa.table({
        "condition_occurrence_id": at["row"], "person_id": at["person"], "condition_concept_id": code,
        "condition_start_date": at["day"], "condition_end_date": at["day"] + rng.integers(0, 15, len(code)),
        "condition_type_concept_id": np.full(len(code), EHR), "visit_occurrence_id": at["id"],
        "provider_id": rng.integers(1, 21, len(code)), "condition_source_value": [f"K{one}" for one in code],
        "condition_source_concept_id": code,
    }))  # fmt: skip
    con.execute(
        "INSERT INTO condition_era SELECT row_number() OVER (ORDER BY 1, 2), person_id, condition_concept_id, "
        "min(condition_start_date), max(condition_end_date), count(*) FROM (SELECT person_id, condition_concept_id, "
        "condition_start_date, condition_end_date, year(condition_start_date) AS y FROM condition_occurrence) "
        "GROUP BY person_id, condition_concept_id, y"
    )
    con.execute(  # nothing is recorded beyond death
        "UPDATE condition_era SET condition_era_end_date = "
        "least(condition_era_end_date, o.observation_period_end_date) FROM observation_period o "
        "WHERE o.person_id = condition_era.person_id; UPDATE condition_occurrence SET "
        "condition_end_date = least(condition_end_date, o.observation_period_end_date) FROM observation_period o "
        "WHERE o.person_id = condition_occurrence.person_id"
    )


def _drugs(con, rng, visits) -> None:
    at = _some(rng, visits, 0.6)
    size = len(at["row"])
    which = _draw(rng, [(0, np.full(size, 2.0)), (1, np.full(size, 1.5)), (2, np.full(size, 2.5))])
    drug = np.array([NAPROXEN, IBUPROFEN, PARACETAMOL])[which]
    supply = rng.choice([3, 5, 7, 14, 28, 30, 60, 90], size)
    end = np.minimum(at["day"] + supply, np.datetime64(LAST))
    _insert(con, "drug_exposure", pa.table({
        "drug_exposure_id": at["row"], "person_id": at["person"], "drug_concept_id": drug[:, 0],
        "drug_exposure_start_date": at["day"], "drug_exposure_end_date": end,
        "drug_type_concept_id": np.full(size, EHR), "quantity": (supply * rng.integers(1, 4, size)).astype(float),
        "days_supply": supply, "refills": rng.integers(0, 4, size), "provider_id": rng.integers(1, 21, size),
        "visit_occurrence_id": at["id"], "drug_source_value": [f"D{one}" for one in drug[:, 0]],
        "drug_source_concept_id": drug[:, 0],
    }))  # fmt: skip
    _insert(con, "drug_era", pa.table({
        "drug_era_id": at["row"], "person_id": at["person"], "drug_concept_id": drug[:, 1],
        "drug_era_start_date": at["day"], "drug_era_end_date": end, "drug_exposure_count": np.ones(size, int),
        "gap_days": np.zeros(size, int),
    }))  # fmt: skip
    con.execute(
        "UPDATE drug_exposure SET drug_exposure_end_date = least(drug_exposure_end_date, d.death_date) FROM death d "
        "WHERE d.person_id = drug_exposure.person_id; UPDATE drug_era SET drug_era_end_date = "
        "least(drug_era_end_date, d.death_date) FROM death d WHERE d.person_id = drug_era.person_id"
    )


def _measurements(con, rng, visits) -> None:
    shares = {WEIGHT: 0.7, HEIGHT: 0.4, PRESSURE: 0.8, HAEMOGLOBIN: 0.5, GLUCOSE: 0.5}
    parts, first = [], 1
    for code, share in shares.items():
        at = _some(rng, visits, share)
        size, grown = len(at["row"]), np.clip(at["age"] / 18, 0.2, 1)
        value = {
            WEIGHT: lambda: rng.normal(rng.uniform(64, 70), 10, size) * grown,  # noqa: B023
            HEIGHT: lambda: rng.normal(rng.uniform(163, 168), 8, size) * (0.4 + 0.6 * grown),  # noqa: B023
            PRESSURE: lambda: rng.normal(108, 11, size) + 0.35 * at["age"],  # noqa: B023
            HAEMOGLOBIN: lambda: rng.normal(rng.uniform(13.3, 13.9), 1.2, size),  # noqa: B023
            GLUCOSE: lambda: np.exp(rng.normal(4.6, 0.16, size)),  # noqa: B023
        }[code]()
        value = np.round(value, 1)
        missing = rng.random(size) < 0.02
        low, high = np.round(np.quantile(value, [0.05, 0.95]), 0)
        parts.append(pa.table({
            "measurement_id": np.arange(first, first + size), "person_id": at["person"],
            "measurement_concept_id": np.full(size, code), "measurement_date": at["day"],
            "measurement_type_concept_id": np.full(size, EHR), "value_as_number": pa.array(value, mask=missing),
            "unit_concept_id": np.full(size, UNITS[code]), "range_low": np.full(size, low),
            "range_high": np.full(size, high), "provider_id": rng.integers(1, 21, size),
            "visit_occurrence_id": at["id"], "measurement_source_value": np.full(size, f"M{code}"),
            "measurement_source_concept_id": np.full(size, code), "unit_source_value": np.full(size, f"U{UNITS[code]}"),
            "value_source_value": [str(one) for one in value],
        }))  # fmt: skip
        first += size
    _insert(con, "measurement", pa.concat_tables(parts))


def _procedures(con, rng, visits) -> None:
    at = _some(rng, visits, 0.35)
    age, man = at["age"], at["sex"] == MALE
    code = _draw(rng, [
        (ECG, np.full(len(age), 1.5)), (XRAY, np.full(len(age), 2.0)), (COLONOSCOPY, np.where(age > 45, 1.2, 0.0)),
        (HYSTERECTOMY, np.where(~man & (age > 35), 1.2, 0.0)),
    ])  # fmt: skip
    _insert(con, "procedure_occurrence", pa.table({
        "procedure_occurrence_id": at["row"], "person_id": at["person"], "procedure_concept_id": code,
        "procedure_date": at["day"], "procedure_end_date": at["day"],
        "procedure_type_concept_id": np.full(len(code), EHR), "quantity": np.ones(len(code), int),
        "provider_id": rng.integers(1, 21, len(code)), "visit_occurrence_id": at["id"],
        "procedure_source_value": [f"P{one}-{local}" for one, local in zip(code, rng.integers(0, 40, len(code)),
                                                                           strict=True)],
        "procedure_source_concept_id": code,
    }))  # fmt: skip


def _observations(con, rng, visits) -> None:
    at = _some(rng, visits, 0.35)
    size = len(at["row"])
    code = _draw(rng, [(SMOKING, np.full(size, 2.0)), (ALLERGY, np.full(size, 1.0))])
    _insert(con, "observation", pa.table({
        "observation_id": at["row"], "person_id": at["person"], "observation_concept_id": code,
        "observation_date": at["day"], "observation_type_concept_id": np.full(size, EHR),
        "value_as_string": rng.choice(["never", "former", "current", "unknown"], size),
        "provider_id": rng.integers(1, 21, size), "visit_occurrence_id": at["id"],
        "observation_source_value": [f"O{one}" for one in code], "observation_source_concept_id": code,
    }))  # fmt: skip


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    con.register("incoming", rows)
    con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
    con.unregister("incoming")
