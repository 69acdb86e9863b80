"""What a method is asked to do: the documents `table/1`, `model/1` and `analysis/1`, checked, and the frame asked of.

    {"ansim": "table/1", "title": {"ko": …, "en": …}, "query": "<digest>", "rows": ["age_band"], "columns": ["sex"],
     "measure": {"kind": "count"}, "where": {"chronic_sinusitis": true}}
    {"ansim": "model/1", "kind": "logistic", "outcome": "chronic_sinusitis", "terms": [
        {"variable": "age", "scale": [50, 10]}, {"variable": "sex", "levels": ["F", "M"]}, {"variable": "naproxen"}]}
    {"ansim": "analysis/1", "kind": "ttest", "outcome": "heat", "group": {"variable": "sex", "levels": ["F", "M"]}}

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
MAX_TERMS, MAX_LEVELS, MAX_KEYS, MAX_STEPS = 50, 50, 4, 20_000
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
    """exposure: the variable of a Poisson model's time or size at risk. time, event: of a Cox model (its `outcome` is
    the event). options: what else the kind of model knows."""

    kind: str
    outcome: str
    terms: tuple[Term, ...]
    exposure: str = ""
    time: str = ""
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def names(self) -> list[str]:
        """The columns of the design, the intercept first; a Cox model has none."""
        first = [] if self.time else ["(intercept)"]
        return [*first, *(name for term in self.terms for name in term.names)]

    def option(self, name: str) -> Any:
        return dict(self.options)[name]


@dataclass(frozen=True)
class Group:
    """People by the levels of a text variable, or of a flag (levels absent: no, yes)."""

    variable: str
    levels: tuple[str | bool, ...]

    @property
    def names(self) -> list[str]:
        return ["true" if level is True else "false" if level is False else str(level) for level in self.levels]


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
    kind = str(spec.get("kind"))
    own: tuple[str, ...] = {
        "cox": ("outcome", "time", "ties", "strata", "grid", "horizon"), "poisson": ("outcome", "exposure")
    }.get(kind, ("outcome",))  # fmt: skip
    _known(spec, ("ansim", "kind", "title", "query", "terms", *own), "")
    outcome, terms = name(spec, "outcome"), terms_of(spec)
    if kind == "cox":
        options = (
            ("ties", choice(spec, "ties", ("efron", "breslow"))),
            ("strata", choice(spec, "strata", ("site", "none"))),
            *grid(spec),
        )
        made = Model(kind, outcome, terms, time=name(spec, "time"), options=options)
    else:
        made = Model(kind, outcome, terms, exposure=name(spec, "exposure") if "exposure" in spec else "")
    variables = [*(term.variable for term in terms), outcome, *filter(None, (made.exposure, made.time))]
    if len(set(variables)) < len(variables):
        raise _wrong("terms", N_("A variable stands twice in the model."), N_("Name each variable once."))
    return made


def terms_of(spec: dict) -> tuple[Term, ...]:
    found = spec.get("terms")
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_TERMS:
        raise _wrong("terms", N_("A model needs one to fifty terms."), N_("List the variables to adjust for."))
    return tuple(_term(term, f"terms[{index}]") for index, term in enumerate(found))


def grid(spec: dict) -> tuple[tuple[str, int], tuple[str, int]]:
    """Width of the steps of time, and the time at which everybody counts as censored, in the variable's units."""
    width, horizon = integer(spec, "grid", 1, 10_000, 1), integer(spec, "horizon", 1, 10_000_000, 3650)
    if horizon // width >= MAX_STEPS:
        raise _wrong("horizon", N_("Time is cut into too many steps."), N_("Use a wider grid or a shorter horizon."))
    return ("grid", width), ("horizon", horizon)


def kind(spec: Any) -> str:
    """The method that a specification is for."""
    if isinstance(spec, dict) and spec.get("ansim") == "table/1":
        return "table"
    return str(spec.get("kind", "")) if isinstance(spec, dict) else ""


def analysis(spec: dict, kind: str, *keys: str) -> None:
    """Raises Problem unless this is an analysis/1 of the kind, with no other keys than these."""
    documents.kind(spec, "analysis/1")
    if spec.get("kind") != kind:
        raise _wrong("kind", N_("This is not an analysis of this method."), N_("Write the method's name."))
    _known(spec, ("ansim", "kind", "title", "query", *keys), "")


def name(spec: dict, key: str) -> str:
    return _name(spec.get(key), key)


def names(spec: dict, key: str, least: int = 1, most: int = MAX_TERMS) -> tuple[str, ...]:
    found = _names(spec.get(key), key)
    if not least <= len(set(found)) == len(found) <= most:
        text = N_("Name different variables, in the number that the method takes.")
        raise _wrong(key, text, N_("See docs/research/methods.md."))
    return found


def group(spec: dict, key: str = "group", exactly: int = 0) -> Group:
    """{"variable": "sex", "levels": ["F", "M"]}, or {"variable": "drug"} for a flag."""
    given = spec.get(key)
    if not isinstance(given, dict):
        raise _wrong(key, N_("A group names a variable."), N_("Write {{variable: sex, levels: [F, M]}}."))
    _known(given, ("variable", "levels"), f"{key}.")
    variable = _name(given.get("variable"), f"{key}.variable")
    levels: tuple[str | bool, ...] = (False, True)
    if "levels" in given:
        levels = _names(given["levels"], f"{key}.levels")
    if not 2 <= len(set(levels)) == len(levels) <= MAX_LEVELS or exactly not in (0, len(levels)):
        raise _wrong(f"{key}.levels", N_("The method needs another number of different levels."), N_("List them."))
    return Group(variable, levels)


def integer(spec: dict, key: str, low: int, high: int, default: int | None = None) -> int:
    value = spec.get(key, default)
    if type(value) is not int or not low <= value <= high:
        text = N_("A whole number from {low} to {high} is needed here.")
        raise Problem("specification", text, where=key, remedy=N_("Write one."), low=low, high=high)
    return value


def choice(spec: dict, key: str, allowed: tuple) -> Any:
    """One of the allowed values; the first is the default."""
    value = spec.get(key, allowed[0])
    if not any(value is each or (isinstance(value, str) and value == each) for each in allowed):
        text = N_("This value is not known here.")
        raise Problem(
            "specification", text, where=key, remedy=N_("Use one of: {known}."), known=", ".join(map(str, allowed))
        )
    return value


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
