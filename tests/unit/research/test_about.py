"""Whom a method's result is about, as a table that the memory knows."""

import pytest
from test_guard import EVERY, values

from ansim.privacy.disclosure.table import TableSpec, tabulate
from ansim.research.analysis import about

GROUPS = {
    "ttest": ["sex"], "anova": ["sex"], "km": ["sex"], "incidence": ["sex"], "characterise": ["drug"],
    "propensity": ["drug"], "crosstab": ["sex", "ill"], "table": ["sex", "ill"],
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_every_method_names_its_people_by_its_groups(name):
    table = about.people(name, EVERY[name], "0" * 64)
    spec = TableSpec.parse(table)
    assert sorted(spec.dimensions) == sorted(GROUPS.get(name, []))
    assert about.variables(table) == set(GROUPS.get(name, []))
    frame = values().select(["person_id", *sorted(about.variables(table))])
    cells = tabulate(frame, spec).counts()
    assert max(cells.values()) == frame.num_rows


def test_a_table_with_conditions_and_a_measure_needs_their_variables():
    spec = {"ansim": "table/1", "rows": ["sex"], "columns": [], "where": {"ill": True},
            "measure": {"kind": "share", "variable": "drug"}}  # fmt: skip
    table = about.people("table", spec, "0" * 64)
    assert table["measure"] == {"kind": "share", "of": "drug"}
    assert about.variables(table) == {"sex", "ill", "drug"}
    assert spec["measure"] == {"kind": "share", "variable": "drug"}  # the job's own document stays what was signed
