"""The same definitions on DuckDB, PostgreSQL and Spark: the rows of Circe (test_circe_rows.py) on each."""

import json
from pathlib import Path

import definition_data
import duckdb

from ansim.research.cohort.definition import attrition, circe, run

MADE = json.loads((Path(__file__).parent / "circe_rows.json").read_text())


def test_the_rows_are_the_same_on_each_engine(engine_of):
    names = {table: list(shape) for table, shape in definition_data.SHAPES.items()}
    tables = {t: [dict(zip(names[t], row, strict=True)) for row in rows] for t, rows in MADE["data"].items()}
    with duckdb.connect() as con:
        definition_data.load(con, tables)
        engine = engine_of(con)
        cases = MADE["cases"][:: 60 if engine.dialect == "spark" else 5]  # Spark takes many seconds for each
        definitions = [circe.read(case["circe"]) for case in cases]
        for case, rows in zip(cases, run.cohorts(engine, definitions, together=4), strict=True):
            found = [[row["person_id"], str(row["start_date"]), str(row["end_date"])] for row in rows.to_pylist()]
            assert found == case["rows"]
        if engine.dialect == "spark":
            return
        ruled = next(each for each in definitions if each.rules)
        steps = attrition.steps(engine, ruled)
        assert steps[-1].people == len({person for person, _, _ in cases[definitions.index(ruled)]["rows"]})
        assert sum(mask.events for mask in attrition.masks(engine, ruled)) == steps[0].events
