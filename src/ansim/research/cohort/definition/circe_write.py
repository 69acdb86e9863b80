"""A Definition as OHDSI Circe JSON (version 1.12), which `circe.read` reads back as the same Definition."""

from datetime import date
from decimal import Decimal
from typing import Any

from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.circe import COUNTS, DETAILS, OPS, TEXT_OPS
from ansim.research.cohort.definition.domains import DEMOGRAPHIC, Attribute

OP_NAMES = {ours: circe for circe, ours in OPS.items()}
TEXT_NAMES = {ours: circe for circe, ours in TEXT_OPS.items()}
DETAIL_NAMES = {ours: circe for circe, ours in DETAILS.items()}
LIMIT_NAMES = {"all": "All", "first": "First", "last": "Last"}


def write(definition: m.Definition) -> dict:
    """The JSON object. Numbers with a fraction become floats, as Circe has them."""
    found: dict[str, Any] = {"cdmVersionRange": definition.versions} if definition.versions else {}
    found |= {"Title": definition.title} if definition.title else {}
    found["PrimaryCriteria"] = {
        "CriteriaList": [_criterion(each) for each in definition.entry.criteria],
        "ObservationWindow": {"PriorDays": definition.entry.days_before, "PostDays": definition.entry.days_after},
        "PrimaryCriteriaLimit": _limit(definition.entry.limit),
    }
    if definition.where is not None:
        found["AdditionalCriteria"] = _group(definition.where)
    found["ConceptSets"] = [_concept_set(each) for each in definition.sets]
    found["QualifiedLimit"] = _limit(definition.qualified)
    found["ExpressionLimit"] = _limit(definition.limit)
    found["InclusionRules"] = [_rule(rule) for rule in definition.rules]
    if definition.end is not None:
        found["EndStrategy"] = _end(definition.end)
    found["CensoringCriteria"] = [_criterion(each) for each in definition.censor]
    found["CollapseSettings"] = {"CollapseType": "ERA", "EraPad": definition.pad}
    found["CensorWindow"] = _days(definition.within)
    return found


def _limit(limit: str) -> dict:
    return {"Type": LIMIT_NAMES[limit]}


def _concept_set(given: m.ConceptSet) -> dict:
    items = [
        {
            "concept": _concept(each.concept),
            "isExcluded": each.excluded,
            "includeDescendants": each.descendants,
            "includeMapped": each.mapped,
        }
        for each in given.members
    ]
    return {"id": given.id, "name": given.name, "expression": {"items": items}}


def _concept(concept: m.Concept) -> dict:
    return {"CONCEPT_ID": concept.id} | {DETAIL_NAMES[key]: value for key, value in concept.details}


def _rule(rule: m.Rule) -> dict:
    found = {"name": rule.name, "expression": _group(rule.where)}
    return found | {"description": rule.description} if rule.description else found


def _group(group: m.Group) -> dict:
    found: dict[str, Any] = {"Type": group.kind.upper()}
    if group.n is not None:
        found["Count"] = group.n
    return found | {
        "CriteriaList": [_correlated(each) for each in group.criteria],
        "DemographicCriteriaList": [_attributes(DEMOGRAPHIC, each.attributes) for each in group.people],
        "Groups": [_group(each) for each in group.groups],
    }


def _correlated(given: m.Correlated) -> dict:
    occurrence: dict[str, Any] = {
        "Type": COUNTS.index(given.count.op),
        "Count": given.count.n,
        "IsDistinct": given.count.distinct is not None,
    }
    if given.count.distinct is not None:
        occurrence["CountColumn"] = given.count.distinct
    found = {"Criteria": _criterion(given.criterion), "StartWindow": _window(given.window), "Occurrence": occurrence}
    if given.end_window is not None:
        found["EndWindow"] = _window(given.end_window)
    return found | {"RestrictVisit": given.same_visit, "IgnoreObservationPeriod": given.beyond_observation}


def _window(window: m.Window) -> dict:
    return {
        "Start": _endpoint(window.start, -1),
        "End": _endpoint(window.end, 1),
        "UseIndexEnd": window.index == "end",
        "UseEventEnd": window.event == "end",
    }


def _endpoint(endpoint: m.Endpoint, sign_of_zero: int) -> dict:
    if endpoint.days is None:
        return {"Coeff": -1 if endpoint.side == "start" else 1}
    sign = (endpoint.days > 0) - (endpoint.days < 0) or sign_of_zero
    return {"Days": abs(endpoint.days), "Coeff": sign}


def _criterion(criterion: m.Criterion) -> dict:
    found: dict[str, Any] = {} if criterion.concepts is None else {"CodesetId": criterion.concepts}
    found |= {"First": True} if criterion.first else {}
    found |= _attributes(criterion.of.attributes, criterion.attributes)
    if criterion.adjust is not None:
        sides = {"start": "START_DATE", "end": "END_DATE"}
        found["DateAdjustment"] = {
            "StartWith": sides[criterion.adjust.start_with],
            "StartOffset": criterion.adjust.start_days,
            "EndWith": sides[criterion.adjust.end_with],
            "EndOffset": criterion.adjust.end_days,
        }
    if criterion.where is not None:
        found["CorrelatedCriteria"] = _group(criterion.where)
    return {criterion.of.circe: found}


def _attributes(table: tuple[Attribute, ...], given: tuple[tuple[str, Any], ...]) -> dict:
    by_name = {attribute.name: attribute for attribute in table}
    found: dict[str, Any] = {}
    for name, value in given:
        attribute = by_name[name]
        found[attribute.circe] = _value(value)
        if isinstance(value, m.Listed) and attribute.exclude:
            found[attribute.exclude] = value.exclude
    return found


def _value(value: Any) -> Any:
    if isinstance(value, m.Range):
        found = {"Value": _plain(value.value), "Op": OP_NAMES[value.op]}
        return found if value.extent is None else found | {"Extent": _plain(value.extent)}
    if isinstance(value, m.TextFilter):
        return {"Text": value.text, "Op": TEXT_NAMES[value.op]}
    if isinstance(value, m.Listed):
        return [_concept(concept) for concept in value.concepts]
    if isinstance(value, m.Selection):
        found = {"IsExclusion": value.exclude}
        return found if value.set is None else {"CodesetId": value.set} | found
    return _days(value) if isinstance(value, m.Days) else value


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _days(days: m.Days) -> dict:
    ends = (("StartDate", days.first), ("EndDate", days.last))
    return {key: value.isoformat() for key, value in ends if value is not None}


def _end(end: m.FixedEnd | m.DrugEnd) -> dict:
    if isinstance(end, m.FixedEnd):
        field = {"start": "StartDate", "end": "EndDate"}[end.side]
        return {"DateOffset": {"DateField": field, "Offset": end.days}}
    found = {"DrugCodesetId": end.concepts, "GapDays": end.gap, "Offset": end.extra}
    return {"CustomEra": found if end.supply is None else found | {"DaysSupplyOverride": end.supply}}
