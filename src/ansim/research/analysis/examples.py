"""A first specification of each method over the variables of a query, for people to change: it always parses."""

from collections.abc import Mapping
from typing import Any

from ansim.errors import N_, Problem
from ansim.research.analysis import methods

SEX = ["F", "M"]
FOLLOWED = ("follow_up", "reached")


def example(name: str, query: Mapping[str, Any]) -> dict:
    """A specification of this method (query: a query/1 document).

    Raises Problem when the query has no variable of a kind that the method needs.
    """
    methods.method(name)
    kinds: dict[str, list[str]] = {"number": [], "flag": [], "text": []}
    for variable in query.get("variables", []):
        kind = {"flag": "flag", "reached": "flag", "sex": "text", "age_band": "text"}.get(variable["kind"], "number")
        kinds[kind].append(variable["name"])
    sexes = [each["name"] for each in query.get("variables", []) if each["kind"] == "sex"]
    pair = {each["kind"]: each["name"] for each in query.get("variables", []) if each["kind"] in FOLLOWED}
    spec = _MADE[name](_Variables(kinds["number"], kinds["flag"], kinds["text"], sexes, pair))
    return spec if "ansim" in spec else {"ansim": "analysis/1", "kind": name, **spec}


class _Variables:
    def __init__(self, numbers: list[str], flags: list[str], texts: list[str], sexes: list[str], pair: dict[str, str]):
        self.numbers, self.flags, self.texts, self.sexes, self.pair = numbers, flags, texts, sexes, pair

    def time(self) -> str:
        return self.pair.get("follow_up") or self.number()

    def event(self) -> str:
        return self.pair.get("reached") or self.flag()

    def number(self, place: int = 0) -> str:
        return self._one(self.numbers, place, N_("number"))

    def flag(self, place: int = 0) -> str:
        return self._one(self.flags, place, N_("flag"))

    def group(self) -> dict:
        return {"variable": self.sexes[0], "levels": SEX} if self.sexes else {"variable": self.flag()}

    def terms(self, *without: str) -> list[dict]:
        made: list[dict] = [{"variable": name} for name in (*self.numbers, *self.flags) if name not in without]
        made += [{"variable": name, "levels": SEX} for name in self.sexes if name not in without]
        if not made:
            raise self._missing(N_("number"))
        return made[:6]

    def _one(self, names: list[str], place: int, kind: str) -> str:
        if len(names) <= place:
            raise self._missing(kind)
        return names[place]

    @staticmethod
    def _missing(kind: str) -> Problem:
        return Problem(
            "no-variable-of-kind",
            N_("The query has too few variables of the kind that this method needs ({kind})."),
            where="variables",
            remedy=N_("Choose another method."),
            kind=kind,
        )


def _model(kind: str, outcome: str, of: _Variables, **more: Any) -> dict:
    return {"ansim": "model/1", "kind": kind, "outcome": outcome, **more, "terms": of.terms(outcome, *more.values())}


_MADE = {
    "table": lambda of: {"ansim": "table/1", "rows": of.texts[:1], "columns": of.texts[1:2]},
    "characterise": lambda of: {"variables": of.terms(of.flag()), "group": {"variable": of.flag()}},
    "describe": lambda of: {"variables": [of.number(), *of.numbers[1:5]]},
    "ttest": lambda of: {"outcome": of.number(), "group": of.group()},
    "anova": lambda of: {"outcome": of.number(), "group": of.group()},
    "correlation": lambda of: {"variables": [of.number(), of.number(1), *of.numbers[2:5]]},
    "pca": lambda of: {"variables": [of.number(), of.number(1), *of.numbers[2:5]], "components": 2},
    "histogram": lambda of: {"variable": of.number(), "from": 0, "width": 10, "bins": 10},
    "quantiles": lambda of: {"variable": of.number(), "percent": [25, 50, 75]},
    "crosstab": lambda of: {"row": of.group(), "column": {"variable": of.flag(0 if of.sexes else 1)}},
    "linear": lambda of: _model("linear", of.number(), of),
    "logistic": lambda of: _model("logistic", of.flag(), of),
    "poisson": lambda of: _model("poisson", of.number(), of),
    "cox": lambda of: _model("cox", of.event(), of, time=of.time()),
    "km": lambda of: {"time": of.time(), "event": of.event(), "group": of.group(), "grid": 30, "horizon": 360},
    "incidence": lambda of: {"time": of.time(), "event": of.event(), "group": of.group(), "per": 1000},
    "propensity": lambda of: {"treatment": of.flag(), "outcome": of.flag(1), "terms": of.terms(of.flag(), of.flag(1))},
    "kmeans": lambda of: {"variables": [of.number(), *of.numbers[1:4]], "clusters": 3},
    "pathways": lambda of: {"steps": [{"name": name, "variable": name} for name in [of.number(), *of.numbers[1:4]]]},
}  # fmt: skip
