"""The query document: what it says, what it refuses and where."""

import copy
import json
import re
from datetime import date
from pathlib import Path

import cohort_data
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.research.cohort import query as q
from ansim.research.cohort.query import parse

TEXT = """
ansim: query/1
title: {ko: 바이러스 부비동염, en: Viral sinusitis}
cohort:
  entry: {event: condition, concepts: [40481087]}
  sex: [M, F]
  require:
    - {event: drug, concepts: [1713671], window: {from_days: -365, to_days: 0}}
variables:
  - {name: sex, kind: sex}
  - {name: visits, kind: count, event: visit, concepts: []}
  - {name: heat, kind: value, event: measurement, concepts: [3006322, 3, 3], pick: last}
period: {from: 1900-01-01, to: 2019-12-31}
"""


def test_the_form_in_the_architecture_page_is_read():
    page = next(p for p in Path(__file__).parents if (p / "docs").is_dir()) / "docs" / "architecture.md"
    made = parse(re.search(r"```yaml\n(.*?)```", page.read_text(), re.S)[1])
    assert [each.kind for each in made.variables] == ["sex", "age", "age_band", "flag", "count", "value", "follow_up"]
    assert made.cohort.exclude[0].window == q.Window(-3650, -1)


def test_defaults_are_written_out_in_one_way():
    made = parse(TEXT)
    document = made.document()
    assert document["cohort"]["entry"] == {
        "event": "condition",
        "concepts": [40481087],
        "descendants": False,
        "which": "first",
    }
    assert document["cohort"]["age"] == {"min": None, "max": None}
    assert document["cohort"]["sex"] == ["F", "M"]
    assert document["cohort"]["require"][0]["at_least"] == 1
    assert document["variables"][2]["concepts"] == [3, 3006322]
    assert document["period"] == {"from": "1900-01-01", "to": "2019-12-31"}
    assert parse(document) == parse(json.dumps(document)) == parse(yaml.safe_dump(document)) == made
    assert parse(document).digest == made.digest


@settings(max_examples=60, deadline=None, derandomize=True)
@given(query=cohort_data.queries())
def test_round_trip(query):
    assert parse(query.document()) == query
    assert parse(json.dumps(query.document(), ensure_ascii=False)).document() == query.document()


def test_dates_read_by_yaml_are_days():
    document = parse(TEXT).document() | {"period": {"from": date(2000, 1, 1), "to": "2001-01-01"}}
    assert parse(document).period == q.Period(date(2000, 1, 1), date(2001, 1, 1))


MISTAKES = [
    ("cohort.require[0].window.from_days", ["cohort", "require", 0, "window", "from_days"], 1.5),
    ("cohort.require[0].window.from_days", ["cohort", "require", 0, "window", "from_days"], True),
    ("cohort.require[0].window.from_days", ["cohort", "require", 0, "window", "from_days"], 1),
    ("cohort.require[0].at_least", ["cohort", "require", 0, "at_least"], 0),
    ("cohort.require[0].weekday", ["cohort", "require", 0, "weekday"], 1),
    ("cohort.entry.event", ["cohort", "entry", "event"], "thought"),
    ("cohort.entry.concepts[1]", ["cohort", "entry", "concepts"], [1, "2"]),
    ("cohort.entry.concepts", ["cohort", "entry", "concepts"], None),
    ("cohort.entry.concepts", ["cohort", "entry", "concepts"], "x"),
    ("cohort.entry.which", ["cohort", "entry", "which"], ["first"]),
    ("cohort.entry.descendants", ["cohort", "entry", "descendants"], 1),
    ("cohort.sex", ["cohort", "sex"], []),
    ("cohort.sex[0]", ["cohort", "sex"], ["W"]),
    ("cohort.age.min", ["cohort", "age"], {"min": 60, "max": 50}),
    ("cohort.age.max", ["cohort", "age"], {"max": 5000}),
    ("cohort.entry", ["cohort", "entry"], None),
    ("cohort", ["cohort"], []),
    ("variables[1].name", ["variables", 1, "name"], "sex"),
    ("variables[1].name", ["variables", 1, "name"], "person_id"),
    ("variables[1].name", ["variables", 1, "name"], 'x"; DROP TABLE person'),
    ("variables[0].kind", ["variables", 0, "kind"], "soul"),
    ("variables[0].width", ["variables", 0, "width"], 5),
    ("variables[2].pick", ["variables", 2, "pick"], "median"),
    ("variables[2].event", ["variables", 2, "event"], "drug"),
    ("period.from", ["period", "from"], "2020-02-30"),
    ("period.from", ["period", "from"], "2020-01-01"),
    ("period.to", ["period", "to"], "20191231"),
    ("title.ko", ["title", "ko"], " "),
    ("title.fr", ["title", "fr"], "oui"),
    ("extra", ["extra"], 1),
    ("ansim", ["ansim"], "query/9"),
]


@pytest.mark.parametrize(("where", "path", "value"), MISTAKES)
def test_mistakes_name_their_place_and_remedy(where, path, value):
    document = copy.deepcopy(parse(TEXT).document())
    part = document
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(Problem) as caught:
        parse(document)
    assert caught.value.where == where
    assert str(caught.value).startswith(where)
    assert caught.value.remedy or where == "ansim"


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BOMB, "alias"),
        ("a: &a [*a]", "alias"),
        ("a: &a 1", "alias"),
        ("[" * 5000, "too-deep"),
        ("{" * 5000, "too-deep"),
        ('{"a":' * 90_000, "too-long"),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, "not-yaml"),
        ("x" * 500_000, "too-long"),
        (TEXT + "\nperiod: {}", "key-twice"),
        ('{"ansim": "query/1", "ansim": "query/1"}', "key-twice"),
        ("a: b: c", "not-yaml"),
        ("!!python/object/apply:os.system [true]", "not-yaml"),
        ("a: " + "9" * 5000, "not-yaml"),
        (b"\xff\xfe", "not-yaml"),
        ("", "not-a-mapping"),
        ("- 1", "not-a-mapping"),
    ],
)
def test_hostile_text_is_refused(text, code):
    with pytest.raises(Problem) as caught:
        parse(text)
    assert caught.value.code == code


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=st.text(alphabet="{}[]&*!:,-?|>'\"% \n\t#ansim1query/", max_size=60))
def test_any_text_gives_a_query_or_a_problem(text):
    with pytest.raises(Problem):
        parse(text)
