"""What acts say that they take: the check, its words, and the schema that is published agree."""

import ast
import inspect
from pathlib import Path

import pytest
from jsonschema_rs import validator_for

import ansim.sites
from ansim.errors import Problems
from ansim.sites import takes

VALUES = {
    "text": ["x", "<script>alert(1)</script>", "김\u202eאב\U0001f600", 1, ["x"], {"a": 1}, True],
    "texts": ["x", ["x", "y"], [1], [["x"]], {"a": 1}, 3],
    "yes_or_no": [True, False, "true", "on", "perhaps", 2, []],
    "number": [3, "3", 3.5, "3.5", "٣", 2**60, "9" * 400, True, [3]],
    "day": ["2026-11-23", "2026-02-30", "2026-11-23T00:00", "23.11.2026", 20261123, "0000-00-00"],
    "document": [{}, {"a": 1}, "{}", [], 3],
}
RIGHT = {
    "text": VALUES["text"][:3],
    "texts": VALUES["texts"][:2],
    "yes_or_no": VALUES["yes_or_no"][:4],
    "number": VALUES["number"][:2],
    "day": VALUES["day"][:1],
    "document": VALUES["document"][:2],
}


def refused(field: takes.Field, value: object) -> str:
    try:
        takes.check({"it": field}, {"it": value})
    except Problems as problems:
        (problem,) = problems.problems
        assert problem.where == "it"
        assert problem.remedy or problem.code == "missing"
        return problem.code
    return ""


@pytest.mark.parametrize("kind", VALUES)
def test_what_is_of_the_kind_is_taken_and_all_else_is_refused_by_name(kind: str) -> None:
    field = getattr(takes, kind)(required=True)
    for value in VALUES[kind]:
        assert bool(refused(field, value)) == (value not in RIGHT[kind] or (kind == "number" and value is True)), value


@pytest.mark.parametrize("kind", VALUES)
def test_the_published_schema_promises_no_more_than_is_taken(kind: str) -> None:
    field = getattr(takes, kind)(required=True)
    valid = validator_for(takes.schema({"it": field}), validate_formats=True).is_valid
    accepted = [value for value in VALUES[kind] if valid({"it": value})]
    assert accepted
    assert not [value for value in accepted if value not in ([], {}) and refused(field, value)]


def test_what_is_missing_is_named_all_at_once() -> None:
    with pytest.raises(Problems) as caught:
        takes.check({"a": takes.text(), "b": takes.day(), "c": takes.text(required=False)}, {"a": "  ", "c": ""})
    assert [problem.where for problem in caught.value.problems] == ["a", "b"]


@pytest.mark.parametrize(("value", "found"), [
    ("a\x00", "NUL"), ({"a": ["\x00"]}, "NUL"), ({"\x00": 1}, "NUL"), ("\ud800", "half of a character"),
    ("김\u202e\U0001f469\u200d\U0001f52c", ""), ([1, None, "ok"], ""),
])  # fmt: skip
def test_texts_that_cannot_be_kept_are_found_at_any_depth(value: object, found: str) -> None:
    assert takes.strange(value) == found


def test_every_act_that_reads_what_was_sent_says_what_it_takes() -> None:
    """Otherwise the description of the site, and the check, would be silent about it."""
    silent = []
    for file in Path(inspect.getfile(ansim.sites.takes)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                called = {
                    each.func.id
                    for each in ast.walk(node)
                    if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
                }
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") in {"act", "page"}:
                        said = {keyword.arg for keyword in mark.keywords}
                        reads = ("given" in called and mark.func.id == "act") or "form_page" in called
                        if reads and not said & {"takes", "form"}:
                            silent.append(f"{file.name}: {node.name}")
    assert not silent
