"""OHDSI Circe JSON (version 1.12) to a Definition and back.

Nothing is ignored: an unknown key or value raises Problem with its path in the JSON. What Circe treats alike becomes
alike: null and absent, an empty list of concepts and none, an end point of zero days either way. What it treats
differently stays different: no group and an empty one, no end strategy and one.
Source: https://github.com/OHDSI/circe-be, package org.ohdsi.circe.cohortdefinition.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from ansim.errors import N_
from ansim.research.cohort import texts
from ansim.research.cohort.checks import day, each, known, mapping, missing, part, within, wrong
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.domains import BY_CIRCE, DEMOGRAPHIC, Attribute

MAX_CHARACTERS = 20_000_000
OPS = {
    "lt": "lt", "lte": "lte", "eq": "eq", "!eq": "not_eq", "gt": "gt", "gte": "gte", "bt": "between",
    "!bt": "not_between",
}  # fmt: skip
TEXT_OPS = {
    "startsWith": "starts_with", "contains": "contains", "endsWith": "ends_with", "!startsWith": "not_starts_with",
    "!contains": "not_contains", "!endsWith": "not_ends_with",
}  # fmt: skip
DETAILS = {
    "CONCEPT_NAME": "name", "CONCEPT_CODE": "code", "DOMAIN_ID": "domain", "VOCABULARY_ID": "vocabulary",
    "CONCEPT_CLASS_ID": "class", "STANDARD_CONCEPT": "standard", "STANDARD_CONCEPT_CAPTION": "standard_caption",
    "INVALID_REASON": "invalid_reason", "INVALID_REASON_CAPTION": "invalid_reason_caption",
    "VALID_START_DATE": "valid_from", "VALID_END_DATE": "valid_to",
}  # fmt: skip
COUNTS = ("exactly", "at_most", "at_least")  # by Circe's number
TOP = (
    "cdmVersionRange", "Title", "PrimaryCriteria", "AdditionalCriteria", "ConceptSets", "QualifiedLimit",
    "ExpressionLimit", "InclusionRules", "EndStrategy", "CensoringCriteria", "CollapseSettings", "CensorWindow",
)  # fmt: skip


def read(source: str | bytes | dict) -> m.Definition:
    """The definition in Circe JSON (a text or already read). Raises Problem naming the JSON path."""
    value = texts.read(source, MAX_CHARACTERS) if isinstance(source, str | bytes) else source
    return _Reader().definition(value)


def looks_like(value: object) -> bool:
    return isinstance(value, dict) and "PrimaryCriteria" in value


class _Reader:
    sets: frozenset[int] = frozenset()

    def definition(self, value: Any) -> m.Definition:
        top = known(mapping(value), TOP)
        sets = part(top, "ConceptSets", lambda given: each(given, _concept_set), ())
        self.sets = frozenset(one.id for one in sets)
        censored = part(top, "CensorWindow", _days, m.Days())
        return m.Definition(
            entry=part(top, "PrimaryCriteria", self.entry),
            sets=sets,
            where=part(top, "AdditionalCriteria", self.group, None),
            qualified=_limit(top, "QualifiedLimit"),
            rules=part(top, "InclusionRules", lambda given: each(given, self.rule), ()),
            limit=_limit(top, "ExpressionLimit"),
            end=part(top, "EndStrategy", self.end, None),
            censor=part(top, "CensoringCriteria", lambda given: each(given, self.criterion), ()),
            pad=part(top, "CollapseSettings", _pad, 0),
            within=censored,
            title=part(top, "Title", _text, ""),
            versions=part(top, "cdmVersionRange", _text, ""),
        )

    def entry(self, value: Any) -> m.Entry:
        given = known(mapping(value), ("CriteriaList", "ObservationWindow", "PrimaryCriteriaLimit"))
        window = part(given, "ObservationWindow", lambda one: known(mapping(one), ("PriorDays", "PostDays")))
        with within("ObservationWindow"):
            before, after = (part(window, key, _whole, 0) for key in ("PriorDays", "PostDays"))
        return m.Entry(
            criteria=part(given, "CriteriaList", lambda one: each(one, self.criterion)),
            days_before=before,
            days_after=after,
            limit=_limit(given, "PrimaryCriteriaLimit", needed=True),
        )

    def rule(self, value: Any) -> m.Rule:
        given = known(mapping(value), ("name", "description", "expression"))
        return m.Rule(
            name=part(given, "name", _text, ""),
            where=part(given, "expression", self.group),
            description=part(given, "description", _text, ""),
        )

    def group(self, value: Any) -> m.Group:
        given = known(mapping(value), ("Type", "Count", "CriteriaList", "DemographicCriteriaList", "Groups"))
        return m.Group(
            kind=part(given, "Type", lambda one: _choice(_text(one).lower(), m.GROUPS)),
            n=part(given, "Count", _whole, None),
            criteria=part(given, "CriteriaList", lambda one: each(one, self.correlated), ()),
            people=part(given, "DemographicCriteriaList", lambda one: each(one, self.demographic), ()),
            groups=part(given, "Groups", lambda one: each(one, self.group), ()),
        )

    def correlated(self, value: Any) -> m.Correlated:
        keys = ("Criteria", "StartWindow", "EndWindow", "Occurrence", "RestrictVisit", "IgnoreObservationPeriod")
        given = known(mapping(value), keys)
        return m.Correlated(
            criterion=part(given, "Criteria", self.criterion),
            count=part(given, "Occurrence", _occurrence),
            window=part(given, "StartWindow", lambda one: _window(one, "start")),
            end_window=part(given, "EndWindow", lambda one: _window(one, "end"), None),
            same_visit=part(given, "RestrictVisit", _truth, False),
            beyond_observation=part(given, "IgnoreObservationPeriod", _truth, False),
        )

    def demographic(self, value: Any) -> m.Demographic:
        given = known(mapping(value), _keys(DEMOGRAPHIC))
        return m.Demographic(self.attributes(DEMOGRAPHIC, given))

    def criterion(self, value: Any) -> m.Criterion:
        wrapper = mapping(value)
        if len(wrapper) != 1:
            raise wrong(
                "one-criterion", "", N_("A criterion is one key with its attributes."), N_("Keep one of the keys.")
            )
        name = next(iter(wrapper))
        if name not in BY_CIRCE:
            raise wrong(
                "unknown-criterion",
                str(name),
                N_("This kind of criterion is not known."),
                N_("Use one of: {allowed}."),
                allowed=", ".join(BY_CIRCE),
            )
        with within(name):
            return self._criterion(name, mapping(wrapper[name]))

    def _criterion(self, name: str, given: dict) -> m.Criterion:
        domain = BY_CIRCE[name]
        keys = ["CorrelatedCriteria", "DateAdjustment", *_keys(domain.attributes)]
        keys += ["CodesetId"] if domain.chosen else []
        keys += ["First"] if domain.first else []
        known(given, tuple(keys))
        return m.Criterion(
            domain=domain.name,
            concepts=part(given, "CodesetId", self.set, None),
            first=part(given, "First", _truth, False),
            attributes=self.attributes(domain.attributes, given),
            adjust=part(given, "DateAdjustment", _adjustment, None),
            where=part(given, "CorrelatedCriteria", self.group, None),
        )

    def attributes(self, table: tuple[Attribute, ...], given: dict) -> tuple[tuple[str, Any], ...]:
        readers: dict[str, Callable[[Any], Any]] = {
            "number": lambda one: _range(one, _whole),
            "decimal": lambda one: _range(one, _number),
            "date": lambda one: _range(one, _day),
            "text": _text_filter,
            "selection": self.selection,
            "set": self.set,
            "flag": lambda one: _truth(one) or None,
            "period": _days,
        }
        found: list[tuple[str, Any]] = []
        for attribute in table:
            if attribute.kind == "concepts":
                value = self._listed(attribute, given)
            else:
                value = part(given, attribute.circe, readers[attribute.kind], None)
            if value is not None:
                found.append((attribute.name, value))
        return tuple(found)

    def _listed(self, attribute: Attribute, given: dict) -> m.Listed | None:
        concepts = part(given, attribute.circe, lambda one: each(one, _concept), ())
        exclude = part(given, attribute.exclude, _truth, False) if attribute.exclude else False
        return m.Listed(concepts, exclude) if concepts or exclude else None

    def selection(self, value: Any) -> m.Selection:
        given = known(mapping(value), ("CodesetId", "IsExclusion"))
        return m.Selection(part(given, "CodesetId", self.set, None), part(given, "IsExclusion", _truth, False))

    def set(self, value: Any) -> int:
        number = _whole(value)
        if number not in self.sets:
            raise m.no_such_set("", number)
        return number

    def end(self, value: Any) -> m.FixedEnd | m.DrugEnd:
        given = known(mapping(value), ("DateOffset", "CustomEra"))
        if len(given) != 1:
            raise wrong("one-end", "", N_("There is one end strategy."), N_("Keep DateOffset or CustomEra."))
        return part(given, "DateOffset", _fixed, None) or part(given, "CustomEra", self.drug_end)

    def drug_end(self, value: Any) -> m.DrugEnd:
        given = known(mapping(value), ("DrugCodesetId", "GapDays", "Offset", "DaysSupplyOverride"))
        return m.DrugEnd(
            concepts=part(given, "DrugCodesetId", self.set),
            gap=part(given, "GapDays", _whole, 0),
            extra=part(given, "Offset", _whole, 0),
            supply=part(given, "DaysSupplyOverride", _whole, None),
        )


def _keys(table: tuple[Attribute, ...]) -> tuple[str, ...]:
    return tuple(key for attribute in table for key in (attribute.circe, attribute.exclude) if key)


def _concept_set(value: Any) -> m.ConceptSet:
    given = known(mapping(value), ("id", "name", "expression"))
    expression = part(given, "expression", lambda one: known(mapping(one), ("items",)))
    with within("expression"):
        members = part(expression, "items", lambda one: each(one, _member))
    return m.ConceptSet(part(given, "id", _whole), part(given, "name", _text, ""), members)


def _member(value: Any) -> m.Member:
    given = known(mapping(value), ("concept", "isExcluded", "includeDescendants", "includeMapped"))
    flags = (part(given, key, _truth, False) for key in ("isExcluded", "includeDescendants", "includeMapped"))
    return m.Member(part(given, "concept", _concept), *flags)


def _concept(value: Any) -> m.Concept:
    given = known(mapping(value), ("CONCEPT_ID", *DETAILS))
    details = []
    for key, name in DETAILS.items():
        if given.get(key) is not None:
            details.append((name, part(given, key, _plain)))
    return m.Concept(part(given, "CONCEPT_ID", _whole), tuple(details))


def _plain(value: Any) -> Any:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise wrong("not-text", "", N_("A text is needed here."), N_("Write it in quotes."))
    return value


def _occurrence(value: Any) -> m.Count:
    given = known(mapping(value), ("Type", "Count", "IsDistinct", "CountColumn"))
    kind = part(given, "Type", lambda one: _choice(_whole(one), (0, 1, 2)), 0)
    distinct = part(given, "IsDistinct", _truth, False)
    column = part(given, "CountColumn", _text, None)
    return m.Count(COUNTS[kind], part(given, "Count", _whole, 0), (column or "DOMAIN_CONCEPT") if distinct else None)


def _window(value: Any, event: m.Side) -> m.Window:
    """event: what the window looks at when it does not say (the start, in an EndWindow the end)."""
    given = known(mapping(value), ("Start", "End", "UseIndexEnd", "UseEventEnd"))
    at_end = part(given, "UseEventEnd", _truth, event == "end")
    return m.Window(
        start=part(given, "Start", _endpoint),
        end=part(given, "End", _endpoint),
        index="end" if part(given, "UseIndexEnd", _truth, False) else "start",
        event="end" if at_end else "start",
    )


def _endpoint(value: Any) -> m.Endpoint:
    given = known(mapping(value), ("Days", "Coeff"))
    sign = part(given, "Coeff", lambda one: _choice(_whole(one), (-1, 1)))
    days = part(given, "Days", _whole, None)
    return m.Endpoint(None if days is None else sign * days, "start" if sign < 0 else "end")


def _adjustment(value: Any) -> m.Adjustment:
    given = known(mapping(value), ("StartWith", "StartOffset", "EndWith", "EndOffset"))
    sides = {"START_DATE": "start", "END_DATE": "end"}
    start, end = (
        part(given, key, lambda one: sides[_choice(_text(one), tuple(sides))], default)
        for key, default in (("StartWith", "start"), ("EndWith", "end"))
    )
    return m.Adjustment(start, part(given, "StartOffset", _whole, 0), end, part(given, "EndOffset", _whole, 0))


def _fixed(value: Any) -> m.FixedEnd:
    given = known(mapping(value), ("DateField", "Offset"))
    sides = {"StartDate": "start", "EndDate": "end"}
    side = part(given, "DateField", lambda one: sides[_choice(_text(one), tuple(sides))], "start")
    return m.FixedEnd(side, part(given, "Offset", _whole, 0))


def _days(value: Any) -> m.Days:
    given = known(mapping(value), ("StartDate", "EndDate"))
    return m.Days(part(given, "StartDate", _day, None), part(given, "EndDate", _day, None))


def _pad(value: Any) -> int:
    given = known(mapping(value), ("CollapseType", "EraPad"))
    part(given, "CollapseType", lambda one: _choice(one, ("ERA",)), "ERA")
    return part(given, "EraPad", _whole, 0)


def _limit(given: dict, key: str, needed: bool = False) -> str:
    """Absent: the first, as in Circe. A limit without a type limits nothing (the primary one must say)."""
    if given.get(key) is None:
        return "first"
    with within(key):
        limit = known(mapping(given[key]), ("Type",))
        if "Type" not in limit:
            return "first"
        if limit["Type"] is None and needed:
            raise missing("Type")
        return part(limit, "Type", lambda one: _choice(_text(one).lower(), m.LIMITS), "all")


def _range(value: Any, read_value: Callable[[Any], Any]) -> m.Range:
    given = known(mapping(value), ("Value", "Op", "Extent"))
    op = part(given, "Op", lambda one: OPS[_choice(one, tuple(OPS))])
    extent = part(given, "Extent", read_value, None) if op.endswith("between") else None
    return m.Range(op, part(given, "Value", read_value), extent)


def _text_filter(value: Any) -> m.TextFilter:
    given = known(mapping(value), ("Text", "Op"))
    return m.TextFilter(
        part(given, "Op", lambda one: TEXT_OPS[_choice(one, tuple(TEXT_OPS))]), part(given, "Text", _text)
    )


def _choice(value: Any, allowed: tuple) -> Any:
    if value not in allowed or isinstance(value, bool):
        raise wrong(
            "not-one-of",
            "",
            N_("The value is not one of those allowed here."),
            N_("Use one of: {allowed}."),
            allowed=", ".join(str(one) for one in allowed),
        )
    return value


def _whole(value: Any) -> int:
    """A whole number; Circe's JSON also writes 18.0 and "18"."""
    number = _number(value)
    if isinstance(number, Decimal):
        raise wrong("not-whole-number", "", N_("A whole number is needed here."), N_("Write it without a fraction."))
    return number


def _number(value: Any) -> int | Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
            raise ValueError
        number = Decimal(str(value).strip())
        if not number.is_finite() or abs(number) >= 10**16:
            raise ValueError
    except (ValueError, ArithmeticError):
        raise wrong("not-a-number", "", N_("A number is needed here."), N_("Write it with digits.")) from None
    return int(number) if number == number.to_integral_value() else number.normalize()


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong("not-truth", "", N_("This must be true or false."), N_("Write true or false."))
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("not-text", "", N_("A text is needed here."), N_("Write it in quotes."))
    return value


def _day(value: Any) -> date:
    """Circe's days may carry a time of day; only the day counts."""
    return day(value[:10] if isinstance(value, str) else value)
