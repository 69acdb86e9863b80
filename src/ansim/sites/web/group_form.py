"""A patient group as fields: what brings people in, what each must have, until when they stay. Gives a cohort/1.

Everything that the fields can say is a definition of `ansim.research.cohort.definition`; what they cannot say is
written as text. Rows are added by the server, so that nothing depends on the browser.
"""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.research.cohort.definition.domains import DOMAINS
from ansim.research.cohort.definition.words import WORDS
from ansim.sites.web.formats import language
from ansim.sites.web.forms import DayInput, Form

MOST_EVENTS, MOST_RULES = 8, 20
CONCEPTS = _("Separated by commas. A minus before a number leaves that concept out.")
SEXES = {"F": 8532, "M": 8507}
NEEDS = {"has": _("must have"), "not": _("must not have"), "most": _("at most so many times")}
WORD = lazy(lambda key: WORDS[language()][key], str)


def _kinds() -> list[tuple[str, Any]]:
    """The kinds of event, in the reader's language; places of residence need tables of older data models."""
    return [("", _("Choose one"))] + [
        (each.name, WORD(each.name)) for each in DOMAINS if each.name != "location_region"
    ]


class EventForm(Form):
    """One kind of event by its concepts; a row left empty is no row."""

    event = forms.ChoiceField(label=_("Kind of event"), required=False)
    concepts = forms.CharField(label=_("OMOP concept numbers"), required=False, help_text=CONCEPTS)
    descendants = forms.BooleanField(label=_("With narrower concepts"), required=False, initial=True)
    first = forms.BooleanField(label=_("Only each person's first"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["event"].choices = _kinds()  # type: ignore[attr-defined]


class RuleForm(EventForm):
    """What must hold around the entry."""

    need = forms.ChoiceField(label=_("People"), choices=list(NEEDS.items()), required=False)
    times = forms.IntegerField(label=_("How many times"), min_value=1, max_value=1000, required=False, initial=1)
    from_days = forms.IntegerField(
        label=_("From day"), required=False, help_text=_("Days from entry; before it with a minus. Empty: open.")
    )
    to_days = forms.IntegerField(label=_("To day"), required=False)
    name = forms.CharField(label=_("Name of this step"), max_length=100, required=False)
    field_order = ("need", "event", "concepts", "descendants", "first", "times", "from_days", "to_days", "name")


class GroupForm(Form):
    """What there is once in a group."""

    title = forms.CharField(label=_("Name of the patient group"), max_length=100)
    before = forms.IntegerField(label=_("Days observed before entry"), min_value=0, required=False, initial=0)
    after = forms.IntegerField(label=_("Days observed after entry"), min_value=0, required=False, initial=0)
    entry_limit = forms.ChoiceField(
        label=_("Which of a person's events can be the entry"),
        choices=[("first", _("The earliest")), ("last", _("The latest")), ("all", _("Each of them"))],
    )
    age_from = forms.IntegerField(label=_("Youngest age"), min_value=0, max_value=150, required=False)
    age_to = forms.IntegerField(label=_("Oldest age"), min_value=0, max_value=150, required=False)
    sex = forms.ChoiceField(
        label=_("Sex"), choices=[("", _("Everybody")), ("F", _("Women")), ("M", _("Men"))], required=False
    )
    combine = forms.ChoiceField(
        label=_("Of the conditions above"), choices=[("all", _("each must hold")), ("any", _("one is enough"))]
    )
    end = forms.ChoiceField(
        label=_("People stay until"),
        choices=[
            ("observation", _("the end of their observation")),
            ("start", _("so many days after the entry event began")),
            ("end", _("so many days after the entry event ended")),
            ("drug", _("the run of a drug ends")),
        ],
    )
    end_days = forms.IntegerField(label=_("Days"), required=False, help_text=_("After the event; or the longest gap."))
    end_concepts = forms.CharField(label=_("Concept numbers of the drug"), required=False, help_text=CONCEPTS)
    period_from = forms.DateField(label=_("From"), widget=DayInput, required=False)
    period_to = forms.DateField(label=_("To"), widget=DayInput, required=False)


Events = formset_factory(EventForm, extra=0, max_num=MOST_EVENTS, validate_max=True)
Rules = formset_factory(RuleForm, extra=0, max_num=MOST_RULES, validate_max=True)


def document(group: dict, events: Iterable[dict], rules: Iterable[dict]) -> dict:
    """The cohort/1 that the cleaned fields mean. Raises Problem with the field that is wrong."""
    sets: list[dict] = []
    entry = [_event(sets, row, f"events-{place}") for place, row in enumerate(events) if row.get("event")]
    if not entry:
        raise Problem("no-entry", N_("No entry event is given."), where="events-0-event",
                      remedy=N_("Name at least one kind of event."))  # fmt: skip
    asked = [(row, _rule(sets, row, f"rules-{place}")) for place, row in enumerate(rules) if row.get("event")]
    steps: list[dict[str, Any]] = [
        {"name": row.get("name") or _called(row), "where": {"all": [held]}} for row, held in asked
    ]
    if group["combine"] == "any" and steps:
        name = gettext("One of: {steps}").format(steps=", ".join(str(each["name"]) for each in steps))
        steps = [{"name": name[:200], "where": {"any": [held for _row, held in asked]}}]
    made: dict[str, Any] = {
        "ansim": "cohort/1",
        "title": group["title"],
        "entry": {
            "events": entry,
            "observed": {"before": group["before"] or 0, "after": group["after"] or 0},
            "limit": group["entry_limit"],
        },
        "rules": [*_person(group), *steps],
    }
    made |= _end(sets, group)
    return made | {"sets": sets}


def _person(group: dict) -> list[dict]:
    """Age and sex on the day of entry, as the first step."""
    low, high = group["age_from"], group["age_to"]
    asked: dict[str, Any] = {}
    if low is not None and high is not None:
        asked["age"] = {"between": [low, high]}
    elif low is not None or high is not None:
        asked["age"] = {"gte": low} if low is not None else {"lte": high}
    if group["sex"]:
        asked["gender"] = [SEXES[group["sex"]]]
    return [{"name": gettext("Age and sex"), "where": {"all": [{"person": asked}]}}] if asked else []


def _rule(sets: list[dict], row: dict, where: str) -> dict:
    held: dict[str, Any] = {"of": _event(sets, row, where)}
    if row["need"] == "not":
        held["exactly"] = 0
    elif row["need"] == "most":
        held["at_most"] = row["times"] or 1
    elif (row["times"] or 1) > 1:
        held["at_least"] = row["times"]
    window = {key: row[f"{key}_days"] for key in ("from", "to") if row[f"{key}_days"] is not None}
    if len(window) == 2 and window["from"] > window["to"]:
        raise Problem("window-reversed", N_("The window ends before it begins."), where=f"{where}-from_days",
                      remedy=N_("Swap the days."))  # fmt: skip
    return held | ({"window": window} if window else {})


def _event(sets: list[dict], row: dict, where: str) -> dict:
    asked: dict[str, Any] = {"first": True} if row["first"] else {}
    if row["concepts"].strip():
        asked["concepts"] = _set(sets, row["concepts"], bool(row["descendants"]), f"{where}-concepts")
    return {row["event"]: asked}


def _set(sets: list[dict], text: str, below: bool, where: str) -> str:
    """The name of the concept set with these numbers; one set for equal ones."""
    try:
        numbers = [int(part) for part in text.replace(" ", "").split(",") if part]
    except ValueError:
        raise Problem(
            "bad-concepts", N_("Concept numbers are whole numbers, separated by commas."), where=where
        ) from None
    mark = {"descendants": True} if below else {}
    members = [{"id": abs(number), **mark, **({"excluded": True} if number < 0 else {})} for number in numbers]
    for each in sets:
        if each["concepts"] == members:
            return str(each["name"])
    alone = gettext("these alone")
    name = ", ".join(map(str, numbers))[:60] + ("" if below else f" ({alone})")
    name = f"{name} ({len(sets) + 1})" if any(each["name"] == name for each in sets) else name
    sets.append({"name": name, "concepts": members})
    return name


def _end(sets: list[dict], group: dict) -> dict:
    days = group["end_days"]
    if group["end"] == "drug":
        if not group["end_concepts"].strip():
            raise Problem("missing", N_("Please fill in this field."), where="end_concepts")
        return {"end": {"drug_run": _set(sets, group["end_concepts"], True, "end_concepts"), "gap": days or 0}}
    if group["end"] == "observation":
        return {}
    if days is None:
        raise Problem("missing", N_("Please fill in this field."), where="end_days")
    return {"end": {"after": group["end"], "days": days}}


def _called(row: dict) -> str:
    """A step named by what it asks, in the words of the reader."""
    what = f"{NEEDS[row['need'] or 'has']}: {WORDS[language()][row['event']]}"
    return f"{what} ({row['concepts']})" if row["concepts"] else str(what)


def rows_of(formset: BaseFormSet) -> list[dict]:
    return [form.cleaned_data for form in formset.forms]
