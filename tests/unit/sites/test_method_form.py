"""The desk's fields for methods: each method's own example comes back as a specification that the method takes.

In a process of its own, with the gallery's settings: Django's settings are one a process.
"""

import os
import subprocess
import sys
from pathlib import Path

STORY = """
import sys
sys.path.insert(0, ".")
import django
django.setup()
from django.http import QueryDict
from django.utils import translation
from ansim.errors import Problem
from ansim.research.analysis import methods
from ansim.sites.user.method_form import MethodForm

DEATH = {"event": "death", "concepts": []}
VARIABLES = [
    {"name": "sex", "kind": "sex"}, {"name": "age", "kind": "age"}, {"name": "band", "kind": "age_band", "width": 10},
    {"name": "heat", "kind": "value"}, {"name": "visits", "kind": "count"}, {"name": "drug", "kind": "flag"},
    {"name": "ill", "kind": "flag"}, {"name": "days", "kind": "follow_up", **DEATH},
    {"name": "died", "kind": "reached", **DEATH},
]

def posted(form, **changes):
    data = QueryDict(mutable=True)
    for name, field in form.fields.items():
        start = form.initial.get(name, field.initial)
        if start is None and getattr(field, "choices", None):
            start = field.choices[0][0]
        data.setlist(name, [str(each) for each in start] if isinstance(start, list) else [str(start)])
    for name, value in changes.items():
        data.setlist(name.replace("_", "-", 1), value)
    return data

def made(method, **changes):
    asked = {"method": method, "query": {"variables": VARIABLES}}
    form = MethodForm(posted(MethodForm(initial={"area": "x"}, **asked), **changes), **asked)
    assert form.is_valid(), (method, form.errors)
    return form.document()

for language in ("ko", "en"):
    with translation.override(language):
        for method in methods.METHODS:
            spec = made(method)
            assert methods.start(method, spec) is not None
km = made("km")
assert (km["time"], km["event"], km["grid"]) == ("days", "died", 30), km
cox = made("cox", spec_strata=["none"], spec_terms=["age", "band"])
assert cox["strata"] == "none" and cox["ties"] == "efron"
assert cox["terms"][0] == {"variable": "age"} and cox["terms"][1]["levels"][:2] == ["0-9", "10-19"]
assert made("quantiles", spec_percent=["10, 90"])["percent"] == [10, 90]
try:
    made("quantiles", spec_percent=["half"])
    raise SystemExit("taken")
except Problem as problem:
    assert problem.where == "spec-percent"
bad = MethodForm(posted(MethodForm(initial={"area": "x"}, method="km", query={"variables": VARIABLES}),
                        spec_time=["nobody"]), method="km", query={"variables": VARIABLES})
assert not bad.is_valid() and "spec-time" in bad.errors
try:
    MethodForm(method="km", query={"variables": VARIABLES[:1]})
    raise SystemExit("made")
except Problem as problem:
    assert problem.code == "no-variable-of-kind"
"""


def test_every_methods_fields_give_a_specification_that_it_takes(tmp_path):
    place = Path(__file__).parents[2] / "browser"
    environment = {"DJANGO_SETTINGS_MODULE": "gallery.settings", "ANSIM_GALLERY_CHARTS": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", STORY], cwd=place, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
