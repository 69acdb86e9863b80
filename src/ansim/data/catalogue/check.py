"""The last look at a dataset description before it is signed: nothing in it may tell of few people or of one.

The form is closed: every object has exactly the fields named here, so that a patient row has no place to stand. Numbers
of people and records are None or at least the threshold. Texts are looked through for what identifies people.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from ansim.data.cdm import EVENTS, tables
from ansim.documents import kind
from ansim.errors import N_, Problem, Problems

LONGEST_TEXT = 4000
IDENTIFYING = {
    "resident number": re.compile(r"(?<!\d)\d{6}[- ]?[0-9]\d{6}(?!\d)"),
    "telephone number": re.compile(r"(?<!\d)01[016789][- .]?\d{3,4}[- .]?\d{4}(?!\d)"),
    "e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"),
    "record identifier": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I),
    "exact date": re.compile(r"(?<!\d)(19|20)\d\d-\d\d-\d\d(?!\d)"),
}
# Each form gives the problems of a value: (where, code, template, facts).
Found = Iterator[tuple[str, str, str, dict]]
Form = Callable[[Any, str, int], Found]


def check_description(document: Any, threshold: int) -> None:
    """Raises Problems (all of them at once) unless the document may be published under this threshold."""
    kind(document, "dataset/1")
    problems = [
        Problem(code, text, where=where, **facts) for where, code, text, facts in DESCRIPTION(document, "", threshold)
    ]
    if problems:
        raise Problems(problems)


def _wrong(where: str, text: str, **facts: Any) -> tuple[str, str, str, dict]:
    return where, "not-publishable", text, facts


def fields(may: Mapping[str, Form] = MappingProxyType({}), /, **forms: Form) -> Form:
    """An object with exactly these fields, and perhaps those of `may`."""
    known = {**may, **forms}

    def check(value: Any, where: str, threshold: int) -> Found:
        if not isinstance(value, dict):
            yield _wrong(where, N_("An object is needed here."))
            return
        for name in sorted(set(value) - set(known), key=str):
            yield _wrong(f"{where}.{name}", N_("This field has no place in a dataset description."))
        for name, form in known.items():
            if name in value:
                yield from form(value[name], f"{where}.{name}".lstrip("."), threshold)
            elif name in forms:
                yield _wrong(f"{where}.{name}", N_("This field is missing."))

    return check


def each(form: Form) -> Form:
    """A list of such values."""

    def check(value: Any, where: str, threshold: int) -> Found:
        if not isinstance(value, list):
            yield _wrong(where, N_("A list is needed here."))
            return
        for place, item in enumerate(value):
            yield from form(item, f"{where}[{place}]", threshold)

    return check


def pair_of(first: Form, second: Form) -> Form:
    """A list of exactly two values."""

    def check(value: Any, where: str, threshold: int) -> Found:
        if not isinstance(value, list) or len(value) != 2:
            yield _wrong(where, N_("A list of two values is needed here."))
            return
        for place, form in enumerate((first, second)):
            yield from form(value[place], f"{where}[{place}]", threshold)

    return check


def maybe(form: Form) -> Form:
    return lambda value, where, threshold: iter(()) if value is None else form(value, where, threshold)


def count(value: Any, where: str, threshold: int) -> Found:
    """A number of people or records: suppressed, or at least the threshold."""
    if value is None:
        return
    if not _is_integer(value):
        yield _wrong(where, N_("A count must be a whole number or be suppressed."))
    elif value < threshold:
        yield where, "small-count", N_("The count {count} is below the threshold {threshold}."), {
            "count": value,
            "threshold": threshold,
        }  # fmt: skip


def rules_count(value: Any, where: str, threshold: int) -> Found:
    """A number that counts no people: rules, checks, years, concept ids."""
    if not _is_integer(value) or value < 0:
        yield _wrong(where, N_("A whole number is needed here."))


def threshold_of(value: Any, where: str, threshold: int) -> Found:
    if not _is_integer(value) or value < threshold:
        yield _wrong(
            where, N_("The description was made under a lower threshold than {threshold}."), threshold=threshold
        )


def percent(value: Any, where: str, threshold: int) -> Found:
    if not _is_integer(value) or not 0 <= value <= 100:
        yield _wrong(where, N_("A percentage must be a whole number from 0 to 100."))


def text(value: Any, where: str, threshold: int) -> Found:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT:
        yield _wrong(where, N_("A text is needed here."))
        return
    for what, pattern in IDENTIFYING.items():
        if pattern.search(value):
            yield where, "identifying", N_("The text holds something that looks like a {what}."), {"what": what}


def matching(pattern: str) -> Form:
    """A text of one exact form (so that it cannot carry anything else)."""

    def check(value: Any, where: str, threshold: int) -> Found:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            yield _wrong(where, N_("The value is not of the form that is needed here."))

    return check


def one_of(*names: str) -> Form:
    return matching("|".join(map(re.escape, names)))


def moment(value: Any, where: str, threshold: int) -> Found:
    try:
        fine = datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        fine = False
    if not fine:
        yield _wrong(where, N_("A time with its time zone is needed here."))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


both = fields(ko=text, en=text)
name = matching(r"[a-z0-9][a-z0-9._-]{0,63}")
address = matching(r"https?://[^\s<>\"{}|\\^`]{1,300}")
number = matching(r"-?[0-9]{1,12}([.][0-9]{1,12})?")
isoday = matching(r"\d{4}-\d\d-\d\d")
# Conditions of use with what each carries (governance.purpose reads them); "until" is a rule's day, nobody's.
MODIFIER = fields(
    {
        "text": text,
        "until": isoday,
        "countries": each(matching("[A-Z]{2}")),
        "users": each(text),
        "projects": each(text),
        "organisations": each(text),
    },
    term=matching("[A-Z]{2,6}"),
)
CONDITIONS = fields({"areas": each(name), "modifiers": each(MODIFIER)}, permission=matching("[A-Z]{2,6}"))
VERDICTS = fields(**{"pass": rules_count, "fail": rules_count, "not_applicable": rules_count})
DESCRIPTION = fields(
    {
        # How data may be had: terms of GA4GH's Data Use Ontology, areas of research, a page where one may ask.
        "access": fields(
            {"contact": address, "note": both, "conditions": CONDITIONS},
            duo=each(matching(r"DUO:\d{7}")),
            areas=each(name),
        ),
        "variables_left_out": rules_count,
        "categories": each(one_of("EHRS", "HRAD", "MRMR", "RQSH")),  # of `dcat.CATEGORIES`
    },
    ansim=one_of("dataset/1"),
    id=name,
    holder=fields(id=name, name=both),
    title=both,
    description=both,
    keywords=fields(ko=each(text), en=each(text)),
    model=fields(name=one_of("OMOP CDM"), version=matching(r"5\.\d")),
    version=matching("[0-9a-f]{64}"),
    issued=moment,
    # Whole years only: the day of a first record is a fact about one person.
    coverage=maybe(fields(**{"from": matching(r"\d{4}-01-01"), "to": matching(r"\d{4}-12-31")})),
    people=count,
    disclosure=fields(threshold=threshold_of, rounding=rules_count, note=both),
    tables=each(fields(table=one_of(*tables()), people=count, records=count)),
    variables=each(
        fields(
            # People by the year of their last record: those of a year and later are the people seen since.
            {"unit": maybe(text), "vocabulary": maybe(text), "last_years": each(pair_of(rules_count, count))},
            event=one_of(*EVENTS),
            concept_id=rules_count,
            name=text,
            people=count,
            records=count,
            missing_percent=maybe(percent),
            low=maybe(number),
            high=maybe(number),
        )
    ),
    charts=fields(
        {
            "values": each(
                fields(
                    event=one_of(*EVENTS),
                    concept_id=rules_count,
                    name=text,
                    unit=text,
                    people=count,
                    records=count,
                    low=number,
                    high=number,
                    steps=each(count),
                    missing_percent=maybe(percent),
                )
            ),
            "observed": each(fields(month=matching(r"\d{4}-\d\d"), people=count)),
        },
        people_by_year=each(fields(year=rules_count, people=count)),
        people_by_age_sex=each(fields(age_band=matching(r"\d{1,3}(-\d{1,3}|\+)"), sex=one_of("F", "M"), people=count)),
    ),
    quality=fields(
        categories=fields(conformance=VERDICTS, completeness=VERDICTS, plausibility=VERDICTS),
        failed=each(
            fields(check=matching("[A-Za-z-]{1,64}"), table=one_of(*tables()), field=matching("[a-z0-9_]{0,64}"))
        ),
    ),
)
