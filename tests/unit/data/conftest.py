"""Small CDMs for the tests of this folder."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from ansim.data.cdm import create_tables

CONCEPTS = [
    (0, "No matching concept", "Metadata", "None", None, "No matching concept"),
    (8507, "MALE", "Gender", "Gender", "S", "M"),
    (8532, "FEMALE", "Gender", "Gender", "S", "F"),
    (9202, "Outpatient Visit", "Visit", "Visit", "S", "OP"),
    (40481087, "Viral sinusitis", "Condition", "SNOMED", "S", "444814009"),
    (257012, "Chronic sinusitis", "Condition", "SNOMED", "S", "40055000"),
    (4299535, "Normal pregnancy", "Condition", "SNOMED", "S", "72892002"),
    (999001, "Retired sinusitis", "Condition", "SNOMED", None, "1"),
    (1115171, "naproxen sodium 220 MG Oral Tablet", "Drug", "RxNorm", "S", "849574"),
    (40213160, "Influenza vaccine", "Drug", "CVX", "S", "140"),
    (3006322, "Oral temperature", "Measurement", "LOINC", "S", "8331-1"),
    (3004249, "Systolic blood pressure", "Measurement", "LOINC", "S", "8480-6"),
    (3012888, "Diastolic blood pressure", "Measurement", "LOINC", "S", "8462-4"),
    (4323208, "Past pregnancy history", "Observation", "SNOMED", "S", "428251008"),
    (8653, "degree Celsius", "Unit", "UCUM", "S", "Cel"),
    (32817, "EHR", "Type Concept", "Type Concept", "S", "OMOP4976890"),
]


class SmallCdm:
    """An empty CDM with a few concepts, in memory, and ways to put rows in."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        create_tables(self.con)
        self.con.executemany(
            "INSERT INTO concept SELECT ?, ?, ?, ?, 'Any', ?, ?, DATE '1970-01-01', DATE '2099-12-31', NULL", CONCEPTS
        )

    def clear(self) -> "SmallCdm":
        self.con.execute("DELETE FROM person; DELETE FROM condition_occurrence; DELETE FROM measurement")
        return self

    def people(self, rows: Iterable[tuple[int, int, int]]) -> "SmallCdm":
        """rows: (person_id, year of birth, gender concept)."""
        return self._insert(
            "person (person_id, year_of_birth, gender_concept_id, person_source_value, month_of_birth, day_of_birth, "
            "race_concept_id, ethnicity_concept_id)",
            [(person, year, sex, f"P-{person}", 5, 17, 0, 0) for person, year, sex in rows],
        )

    def conditions(self, rows: Iterable[tuple[int, int, int, date]]) -> "SmallCdm":
        """rows: (id, person_id, concept, day)."""
        return self._insert(
            "condition_occurrence (condition_occurrence_id, person_id, condition_concept_id, condition_start_date, "
            "condition_type_concept_id)",
            [(*row, 32817) for row in rows],
        )

    def measurements(self, rows: Iterable[tuple[int, int, int, date, float | None]]) -> "SmallCdm":
        """rows: (id, person_id, concept, day, value)."""
        return self._insert(
            "measurement (measurement_id, person_id, measurement_concept_id, measurement_date, value_as_number, "
            "measurement_type_concept_id)",
            [(*row, 32817) for row in rows],
        )

    def _insert(self, target: str, rows: list[tuple]) -> "SmallCdm":
        if rows:
            places = ", ".join(["(" + ", ".join("?" * len(rows[0])) + ")"] * len(rows))
            self.con.execute(f"INSERT INTO {target} VALUES {places}", [value for row in rows for value in row])
        return self


@pytest.fixture(scope="session")
def small_cdm() -> type[SmallCdm]:
    return SmallCdm


@pytest.fixture(scope="session")
def nation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's data at a tenth of its size, built once."""
    from ansim.demo.datasets import build

    folder = tmp_path_factory.mktemp("nation")
    build(folder, scale=0.15)
    return folder
