"""A base for forms: the server checks, in words that say how to mend it; nothing depends on the browser."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

# Django's own words name the fault; ours say what to do. A message given to a field by its form stays.
FILL, PICK, PICK_ANY = _("Fill this in."), _("Choose one."), _("Choose at least one.")
TICK, DAY, WHOLE, FILE = (
    _("Tick this box to go on."),
    _("Enter a day that exists, as year-month-day, such as 2026-11-23."),
    _("Enter a whole number."),
    _("Choose a file."),
)


class Form(forms.Form):
    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            standard = type(field).default_error_messages | forms.Field.default_error_messages
            for code, words in advice(field).items():
                if code not in field.error_messages or field.error_messages[code] == standard.get(code):
                    field.error_messages[code] = words


def advice(field: forms.Field) -> dict[str, Any]:
    """What to do when a field of this type is empty or cannot be read."""
    match field:
        case forms.BooleanField():
            return {"required": TICK}
        case forms.MultipleChoiceField():
            return {"required": PICK_ANY}
        case forms.ChoiceField():
            return {"required": PICK, "invalid_choice": PICK}
        case forms.DateField():
            return {"required": DAY, "invalid": DAY}
        case forms.IntegerField():
            return {"required": FILL, "invalid": WHOLE}
        case forms.FileField():
            return {"required": FILE}
        case _:
            return {"required": FILL}


class DayInput(forms.DateInput):
    """The browser's own calendar; ISO dates on the wire whatever the language."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs=attrs, format="%Y-%m-%d")


def form_schema(form: forms.BaseForm | type[forms.BaseForm]) -> dict[str, Any]:
    """The JSON Schema of what a form takes: of a form as shown (with its choices), or of its class (without)."""
    shown = isinstance(form, forms.BaseForm)
    fields = form.fields if shown else form.base_fields  # type: ignore[union-attr]
    needed = [name for name, field in fields.items() if field.required]
    found = {
        "type": "object",
        "properties": {
            name: {**_value(field, shown), "title": str(field.label or name)} for name, field in fields.items()
        },
    }
    return found | ({"required": needed} if needed else {})


def _value(field: forms.Field, choices: bool) -> dict[str, Any]:
    known = [str(value) for value, _label in getattr(field, "choices", [])] if choices else []
    one = {"type": "string", **({"enum": known} if known else {})}
    match field:
        case forms.FileField():
            return {"type": "string", "format": "binary"}
        case forms.BooleanField():
            return {"type": "boolean"}
        case forms.IntegerField():
            limits = {"minimum": field.min_value, "maximum": field.max_value}
            return {"type": "integer"} | {name: limit for name, limit in limits.items() if limit is not None}
        case forms.DateField():
            return {"type": "string", "format": "date"}
        case forms.MultipleChoiceField():
            return {"type": "array", "items": one}
        case forms.ChoiceField():
            return one
        case forms.CharField(max_length=int() as longest):
            return {"type": "string", "maxLength": longest}
        case _:
            return {"type": "string"}
