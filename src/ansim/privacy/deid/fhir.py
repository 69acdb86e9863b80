"""FHIR resources (R4): what leaves is a list of resource types and element names; everything else is removed.

Narratives, names, identifiers, contacts, notes, attachments, extensions and all free texts are not on the list. A
patient keeps sex and the year of birth; ages over 89 are for the caller to leave out. References and ids become keyed
values, the same for a resource wherever it is named. Dates move by the person's days and lose their time of day, so
that intervals in days stay the same over all of a person's resources. A resource without a patient leaves nothing.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansim.errors import N_, Problem

_TYPES = """
    Patient Condition Observation Procedure Encounter MedicationRequest Immunization AllergyIntolerance DiagnosticReport
    MedicationAdministration MedicationStatement
"""
_KEPT = """
    resourceType status intent gender clinicalStatus verificationStatus category code coding system display class type
    vaccineCode medicationCodeableConcept valueQuantity value unit valueCodeableConcept valueInteger valueBoolean
    component interpretation criticality severity subject patient encounter period result comparator bodySite method
    primarySource
"""
_DATES = """
    effectiveDateTime onsetDateTime abatementDateTime recordedDate performedDateTime authoredOn start end
    occurrenceDateTime deceasedDateTime effectivePeriod performedPeriod onsetPeriod
"""
TYPES, KEPT, DATES = (frozenset(names.split()) for names in (_TYPES, _KEPT, _DATES))
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CODED = frozenset(("code", "system", "display"))


def deidentify(resource: Mapping, keyed: Callable[[str], str], shift_of: Callable[[str], int]) -> dict[str, Any]:
    """What may leave of a resource. keyed: from "Type/id" to its keyed value; shift_of: from the patient's id to days.

    Problem for a type that is not on the list, and for a resource that names no patient.
    """
    kind = str(resource.get("resourceType"))
    if kind not in TYPES:
        raise Problem("not-listed", N_("FHIR resources of type {kind} do not leave."), where=kind, kind=kind)
    owner = str(resource.get("id", "")) if kind == "Patient" else _patient(resource)
    if not owner:
        raise Problem(
            "no-patient", N_("A {kind} names no patient, so its dates cannot be moved."), where=kind, kind=kind
        )
    made = _clean(resource, keyed, shift_of(owner))
    if resource.get("id"):
        made["id"] = keyed(f"{kind}/{resource['id']}")
    if kind == "Patient" and _DAY.match(str(resource.get("birthDate", ""))):
        made["birthDate"] = str(resource["birthDate"])[:4]
    return made


def _patient(resource: Mapping) -> str:
    for name in ("subject", "patient"):
        reference = str((resource.get(name) or {}).get("reference", ""))
        if reference.startswith(("Patient/", "urn:uuid:")):
            return reference.rpartition("/")[2].removeprefix("urn:uuid:")
    return ""


def _clean(value: Any, keyed: Callable[[str], str], days: int, name: str = "") -> Any:
    if isinstance(value, Mapping):
        if "reference" in value:
            return {"reference": _reference(str(value["reference"]), keyed, name)}
        parts = {key: _clean(part, keyed, days, key) for key, part in value.items() if key in KEPT or key in DATES}
        return {key: part for key, part in parts.items() if part not in (None, {}, [])}
    if isinstance(value, list):
        return [part for each in value if (part := _clean(each, keyed, days, name)) not in (None, {}, [])]
    if name in DATES:
        return _moved(value, days)
    if isinstance(value, str):  # of texts only codes, their systems and words, and short states
        return value if name in _CODED or re.fullmatch(r"[A-Za-z][A-Za-z-]{0,40}", value) or name == "unit" else None
    return value


def _reference(reference: str, keyed: Callable[[str], str], name: str) -> str:
    kind, _, own = reference.rpartition("/")
    if not kind:  # urn:uuid:…, as in bundles: the element says what is meant
        kind = "Patient" if name in ("subject", "patient") else "Encounter" if name == "encounter" else "Resource"
        own = reference.removeprefix("urn:uuid:")
    return f"{kind}/{keyed(f'{kind}/{own}')}"


def _moved(value: Any, days: int) -> str | None:
    """A whole date, moved; a partial one tells a year or month that would not fit, and goes."""
    found = _DAY.match(str(value))
    return (dt.date.fromisoformat(found.group()) + dt.timedelta(days=days)).isoformat() if found else None
