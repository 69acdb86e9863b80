"""What an act takes: named fields with a kind each. The same declaration is checked and published (OpenAPI).

`@act("chair", takes={"choice": one_of("approve", "reject"), "reason": text(required=False)})` refuses what is missing
or of another kind before the act begins, naming the field, and `openapi.py` writes it down as a JSON Schema. A browser
sends every value as text, so each kind also takes the text that a form would send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ansim.errors import N_, Problem, Problems
from ansim.sites.exchange import signed

LONGEST = 1_000_000  # characters of one text: a pasted list of a hospital's patients is the longest that people send
MOST = 2**53 - 1  # beyond it, JSON numbers of other programs lose digits (RFC 7493)
WORDS_OF_TRUTH = ("true", "false", "yes", "no", "on", "off", "1", "0", "")


@dataclass(frozen=True)
class Field:
    """One field. `right` says whether a value is of the kind, `remedy` what to do when it is not."""

    schema: Mapping[str, Any]
    right: Callable[[Any], bool]
    remedy: str
    required: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)


Takes = Mapping[str, Field]


def text(*, required: bool = True) -> Field:
    return Field({"type": "string", "maxLength": LONGEST}, _is_text, N_("Write it as text."), required)


def one_of(*choices: str, required: bool = True) -> Field:
    """One of these words."""
    remedy = N_("Choose one of {choices}.")
    schema = {"type": "string", "enum": list(choices)}
    return Field(schema, lambda value: value in choices, remedy, required, {"choices": ", ".join(choices)})


def texts(*, required: bool = True) -> Field:
    """A list of texts, or one text (a line each, as a form sends it)."""
    several = {"type": "array", "items": {"type": "string", "maxLength": LONGEST}}
    return Field(
        {"oneOf": [{"type": "string", "maxLength": LONGEST}, several]},
        lambda value: _is_text(value) or (isinstance(value, list) and all(map(_is_text, value))),
        N_("Write it as a list of texts."),
        required,
    )


def yes_or_no(*, required: bool = False) -> Field:
    return Field(
        {"oneOf": [{"type": "boolean"}, {"type": "string", "enum": list(WORDS_OF_TRUTH)}]},
        lambda value: isinstance(value, bool) or (isinstance(value, str) and value.lower() in WORDS_OF_TRUTH),
        N_("Say true or false."),
        required,
    )


def number(*, required: bool = True) -> Field:
    """A whole number."""
    return Field(
        {"type": "integer", "minimum": -MOST, "maximum": MOST}, _is_number, N_("Enter a whole number."), required
    )


def day(*, required: bool = True) -> Field:
    """An ISO date."""
    remedy = N_("Enter a day that exists, as year-month-day, such as 2026-11-23.")
    return Field({"type": "string", "format": "date"}, _is_day, remedy, required)


def document(*, required: bool = True, texts: bool = False) -> Field:
    """A JSON object; with `texts`, also its text (JSON or YAML), as a form sends it."""
    whole: dict[str, Any] = {"type": "object"}
    schema = {"oneOf": [whole, {"type": "string", "maxLength": LONGEST}]} if texts else whole
    return Field(
        schema,
        lambda value: isinstance(value, dict) or (texts and _is_text(value)),
        N_("Send a JSON object."),
        required,
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        value = int(value) if len(value) < 17 and value.lstrip("-").isdecimal() and value.isascii() else None
    return type(value) is int and abs(value) <= MOST


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def missing(value: Any) -> bool:
    return value is None or value == "" or value == []


def check(takes: Takes, values: Mapping[str, Any]) -> None:
    """Raises Problems, one for each field that is missing or of another kind."""
    found = [problem for name, each in takes.items() if (problem := _wrong(name, each, values.get(name)))]
    if found:
        raise Problems(found)


def _wrong(name: str, each: Field, value: Any) -> Problem | None:
    if missing(value) or (isinstance(value, str) and each.required and not value.strip()):
        return Problem("missing", N_("Please fill in this field."), where=name) if each.required else None
    if each.right(value):
        return None
    return Problem("wrong-kind", N_("This is not what the field takes."), where=name, remedy=each.remedy, **each.facts)


def opened(value: Any, where: str) -> dict:
    """A JSON object that came as itself or as its text. Raises Problem naming the field."""
    if isinstance(value, str):
        try:
            value = signed.loads(value)
        except ValueError as error:
            raise Problem("bad-json", N_("This is not JSON: {error}."), where=where, error=str(error)) from error
    if not isinstance(value, dict):
        raise Problem(
            "bad-json",
            N_("This is not a JSON object."),
            where=where,
            remedy=N_("It begins and ends with a curly bracket."),
        )
    return value


def strange(value: Any) -> str:
    """What no text of ours may hold, anywhere in a value that came from outside: NUL, or half of a character."""
    if isinstance(value, str):
        if "\x00" in value:
            return "NUL"
        return "" if _whole(value) else "half of a character"
    if isinstance(value, Mapping):
        return next((found for pair in value.items() for each in pair if (found := strange(each))), "")
    if isinstance(value, list):
        return next((found for each in value if (found := strange(each))), "")
    return ""


def _whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def schema(takes: Takes) -> dict[str, Any]:
    """The JSON Schema of an object with these fields; others are let be."""
    found: dict[str, Any] = {"type": "object", "properties": {name: dict(each.schema) for name, each in takes.items()}}
    needed = [name for name, each in takes.items() if each.required]
    return found | ({"required": needed} if needed else {})
