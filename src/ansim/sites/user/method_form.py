"""A method's specification as fields over the agreed variables, begun with an example that fits; back to a document.

Which fields there are follows from the example (`research.analysis.examples`): a name of a variable, several of them, a
group, terms, whole numbers. What else a method knows stands in OPTIONS. Levels of texts come from the variable itself.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.research.analysis.examples import example
from ansim.sites.web.forms import Form

PREFIX = "spec"
OLDEST = 100  # bands of ages above it are not offered as levels
LABELS = {
    "rows": _("Rows"), "columns": _("Columns"), "variables": _("Variables"), "variable": _("Variable"),
    "outcome": _("Outcome"), "group": _("Groups by"), "row": _("Rows"), "column": _("Columns"),
    "terms": _("Adjusted for"),
    "time": _("Time"), "event": _("Event"), "grid": _("Width of a step of time"), "horizon": _("Followed up to"),
    "per": _("Rate per so many days"), "treatment": _("Treatment"), "components": _("Components"),
    "clusters": _("Clusters"), "from": _("From"), "width": _("Width of a bin"), "bins": _("Number of bins"),
    "percent": _("Quantiles, in percent"), "steps": _("Days to each treatment"), "exposure": _("Time or size at risk"),
    "ties": _("Ties"), "strata": _("Strata"), "use": _("Used for"), "estimand": _("Effect"),
}  # fmt: skip
Choices = list[tuple[str, Any]]
OPTIONS: dict[str, dict[str, Choices]] = {
    "cox": {
        "ties": [("efron", "Efron"), ("breslow", "Breslow")],
        "strata": [("site", _("A stratum a hospital")), ("none", _("None: exact, over all hospitals"))],
    },
    "propensity": {
        "use": [("weighting", _("Weighting")), ("matching", _("Matching"))],
        "estimand": [("ate", _("In everybody")), ("att", _("In the treated"))],
    },
}
TEXTS = ("sex", "age_band")


class MethodForm(Form):
    """The fields of one method. Read back with `document`."""

    area = forms.CharField(label=_("Area of research of this use"))

    def __init__(self, *args: Any, method: str, query: Mapping[str, Any], **kwargs: Any) -> None:
        self.method, self.variables = method, {each["name"]: each for each in query["variables"]}
        self.spec = example(method, query)
        super().__init__(*args, **kwargs)
        for key, value in self.spec.items():
            if key not in ("ansim", "kind"):
                self.fields[f"{PREFIX}-{key}"] = self._field(key, value)
        for key, choices in OPTIONS.get(method, {}).items():
            self.fields[f"{PREFIX}-{key}"] = forms.ChoiceField(label=LABELS[key], choices=choices)

    def document(self) -> dict:
        """The specification that the cleaned fields mean; the method's own parser judges it."""
        kept = {key: self.spec[key] for key in ("ansim", "kind") if key in self.spec}
        made = {key: self._value(key, self.spec[key]) for key in self.spec if key not in kept}
        options = {key: self.cleaned_data[f"{PREFIX}-{key}"] for key in OPTIONS.get(self.method, {})}
        return kept | {key: value for key, value in made.items() if value not in ("", None)} | options

    def _field(self, key: str, value: Any) -> forms.Field:
        label = LABELS.get(key, key)
        if isinstance(value, int):
            return forms.IntegerField(label=label, initial=value)
        if isinstance(value, str):
            return forms.ChoiceField(label=label, choices=self._names(self._alike(value)), initial=value)
        if isinstance(value, dict):  # a group
            return forms.ChoiceField(label=label, choices=self._names(self._grouping), initial=value["variable"])
        if value and isinstance(value[0], int):
            return forms.CharField(label=label, initial=", ".join(map(str, value)))
        names = [each["variable"] if isinstance(each, dict) else each for each in value]
        known = self._names(self._alike(names[0]) if names and not isinstance(value[0], dict) else lambda each: True)
        return forms.MultipleChoiceField(
            label=label, choices=known, initial=names, widget=forms.CheckboxSelectMultiple, required=key != "columns"
        )

    def _value(self, key: str, example_value: Any) -> Any:
        given = self.cleaned_data[f"{PREFIX}-{key}"]
        if isinstance(example_value, int | str):
            return given
        if isinstance(example_value, dict):
            return {"variable": given, **self._levels(given)}
        if example_value and isinstance(example_value[0], int):
            try:
                return [int(each) for each in given.replace(" ", "").split(",") if each]
            except ValueError:
                raise Problem(
                    "not-numbers", N_("Write whole numbers, separated by commas."), where=f"{PREFIX}-{key}"
                ) from None
        if key == "steps":
            return [{"name": name, "variable": name} for name in given]
        if example_value and isinstance(example_value[0], dict):
            return [{"variable": name, **self._levels(name)} for name in given]
        return list(given)

    def _levels(self, name: str) -> dict:
        """The levels of a text variable; numbers and flags have none."""
        variable = self.variables[name]
        if variable["kind"] == "sex":
            return {"levels": ["F", "M"]}
        if variable["kind"] == "age_band":
            width = variable["width"]
            return {"levels": [f"{low}-{low + width - 1}" for low in range(0, OLDEST, width)]}
        return {}

    def _names(self, wanted: Callable[[dict], bool]) -> Choices:
        return [(name, name) for name, each in self.variables.items() if wanted(each)]

    def _alike(self, name: str) -> Callable[[dict], bool]:
        """Whether a variable is of the kind that the example's variable has: text, flag or number."""
        kind = _form(self.variables[name])
        return lambda each: _form(each) == kind

    @staticmethod
    def _grouping(each: dict) -> bool:
        return _form(each) != "number"


def _form(variable: Mapping[str, Any]) -> str:
    if variable["kind"] in TEXTS:
        return "text"
    return "flag" if variable["kind"] in ("flag", "reached") else "number"
