"""What a method is asked to do: the documents `table/1` and `model/1`, checked, and the frame that they are asked of.

    {"ansim": "table/1", "title": {"ko": …, "en": …}, "query": "<digest>", "rows": ["age_band"], "columns": ["sex"],
     "measure": {"kind": "count"}, "where": {"chronic_sinusitis": true}}
    {"ansim": "model/1", "kind": "logistic", "outcome": "chronic_sinusitis", "terms": [
        {"variable": "age", "scale": [50, 10]}, {"variable": "sex", "levels": ["F", "M"]}, {"variable": "naproxen"}]}

Encodings are agreed in the document (scale: (x - offset) / divisor in integers; levels: the first is the reference),
never derived from the data of one site, so that all sites build the same columns.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ansim import documents
from ansim.errors import N_, Problem

MEASURES = ("count", "sum", "mean", "share")
MAX_TERMS, MAX_LEVELS, MAX_KEYS = 50, 50, 4
Scalar = str | int | bool | None


@dataclass(frozen=True)
class Table:
    """rows, columns: variables whose values are the keys. variable: what is measured (None for count)."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    measure: str
    variable: str | None
    where: tuple[tuple[str, Scalar], ...]


@dataclass(frozen=True)
class Term:
    """A numeric or flag variable (scale), or a text variable with its levels, the first being the reference."""

    variable: str
    offset: int = 0
    divisor: int = 1
    levels: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        return [f"{self.variable}={level}" for level in self.levels[1:]] or [self.variable]


@dataclass(frozen=True)
class Model:
    kind: str
    outcome: str
    terms: tuple[Term, ...]

    @property
    def names(self) -> list[str]:
        """The columns of the design, the intercept first."""
        return ["(intercept)", *(name for term in self.terms for name in term.names)]


def table(spec: dict) -> Table:
    """The table asked for; raises Problem with the place of the first mistake."""
    documents.kind(spec, "table/1")
    _known(spec, ("ansim", "title", "query", "rows", "columns", "measure", "where"), "")
    rows, columns = (_names(spec.get(side, []), side) for side in ("rows", "columns"))
    if len(set(rows + columns)) < len(rows + columns) or len(rows + columns) > MAX_KEYS:
        raise _wrong("rows", N_("Rows and columns need up to four different variables."), N_("Name each once."))
    measure = spec.get("measure", {"kind": "count"})
    if not isinstance(measure, dict) or measure.get("kind") not in MEASURES:
        raise _wrong("measure.kind", N_("The measure is not known."), N_("Use count, sum, mean or share."))
    _known(measure, ("kind",) if measure["kind"] == "count" else ("kind", "variable"), "measure.")
    variable = None if measure["kind"] == "count" else _name(measure.get("variable"), "measure.variable")
    where = spec.get("where", {})
    if not isinstance(where, dict) or not all(isinstance(value, Scalar) for value in where.values()):
        raise _wrong("where", N_("Conditions are pairs of variable and value."), N_("Write {{variable: value}}."))
    return Table(rows, columns, measure["kind"], variable, tuple(sorted(where.items())))


def model(spec: dict) -> Model:
    """The model asked for; raises Problem with the place of the first mistake."""
    documents.kind(spec, "model/1")
    _known(spec, ("ansim", "kind", "title", "query", "outcome", "terms"), "")
    found = spec.get("terms")
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_TERMS:
        raise _wrong("terms", N_("A model needs one to fifty terms."), N_("List the variables to adjust for."))
    made = Model(
        str(spec.get("kind")),
        _name(spec.get("outcome"), "outcome"),
        tuple(_term(term, f"terms[{index}]") for index, term in enumerate(found)),
    )
    variables = [term.variable for term in made.terms] + [made.outcome]
    if len(set(variables)) < len(variables):
        raise _wrong("terms", N_("A variable stands twice in the model."), N_("Name each variable once."))
    return made


def _term(spec: Any, where: str) -> Term:
    if not isinstance(spec, dict):
        raise _wrong(where, N_("A term names a variable."), N_("Write {{variable: age}}."))
    _known(spec, ("variable", "scale", "levels"), f"{where}.")
    variable = _name(spec.get("variable"), f"{where}.variable")
    if "levels" in spec:
        levels = _names(spec["levels"], f"{where}.levels")
        if "scale" in spec or not 2 <= len(set(levels)) == len(levels) <= MAX_LEVELS:
            raise _wrong(
                f"{where}.levels", N_("Levels are two or more different texts, without scale."), N_("List them.")
            )
        return Term(variable, levels=levels)
    scale = spec.get("scale", [0, 1])
    if not isinstance(scale, list) or [type(part) for part in scale] != [int, int] or scale[1] <= 0:
        raise _wrong(f"{where}.scale", N_("A scale is an offset and a positive divisor."), N_("Write [50, 10]."))
    return Term(variable, *scale)


def check_frame(frame: pa.Table) -> None:
    """One row a person, all known: otherwise counting rows would not be counting people."""
    people = frame["person_id"] if "person_id" in frame.column_names else None
    if people is None or people.null_count or pc.count_distinct(people).as_py() != frame.num_rows:
        raise Problem("not-a-frame", N_("The data do not have one row a person."), where="person_id")


def column(frame: pa.Table, variable: str, where: str) -> pa.ChunkedArray:
    """The frame's column, or a Problem that says where it was asked for."""
    if variable == "person_id" or variable not in frame.column_names:
        raise Problem(
            "no-variable",
            N_("The query has no variable {variable}."),
            where=where,
            remedy=N_("Use one of: {known}."),
            variable=variable,
            known=", ".join(name for name in frame.column_names if name != "person_id"),
        )
    return frame[variable]


def _wrong(where: str, text: str, remedy: str) -> Problem:
    return Problem("specification", text, where=where, remedy=remedy)


def _known(spec: dict, allowed: tuple[str, ...], prefix: str) -> None:
    for key in spec:
        if key not in allowed:
            raise _wrong(f"{prefix}{key}", N_("This key is not known here."), N_("Remove it."))


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(where, N_("A name is needed here."), N_("Name a variable of the query."))
    return value


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong(where, N_("A list of names is needed here."), N_("Write [age_band]."))
    return tuple(_name(item, f"{where}[{index}]") for index, item in enumerate(value))
