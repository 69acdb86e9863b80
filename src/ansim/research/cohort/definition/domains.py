"""The kinds of event that a definition can speak of, with their attributes and where each stands in OMOP CDM 5.4.

Names of criteria and attributes: OHDSI Circe 1.12 (https://github.com/OHDSI/circe-be); tables and columns:
https://ohdsi.github.io/CommonDataModel/cdm54.html. This is data: readers, writers, compiler, texts and the reference
engine all go by it, so that a domain is described once.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "decimal", "date", "text", "concepts", "selection", "set", "flag", "period"]


@dataclass(frozen=True)
class Attribute:
    """One thing that can be asked of an event.

    name, circe: its key in our form and in Circe's. kind: the form of its value (model.py). of: what it is compared
    with: a column of the domain's table, a column of a joined table ("person.", "visit.", "provider.",
    "care_site."), or one of start, end, length (days), age_at_start, age_at_end. exclude: Circe's key that turns the
    list of concepts around. ignored: Circe reads it and never applies it (so we refuse to run it).
    """

    name: str
    circe: str
    kind: Kind
    of: str
    exclude: str = ""
    ignored: bool = False


@dataclass(frozen=True)
class Domain:
    """One table of events.

    concept: the column that the criterion's concept set chooses from. end: the column of the last day; if it is None or
    null the end is `supply` days after the start, else the day after the start (`else_next_day`), else null.
    visit: the events name their visit. counts: what distinct counts can count: Circe's column name to a column here.
    first: the first event of a person can be asked for. adjusts: Circe applies DateAdjustment.
    """

    name: str
    circe: str
    table: str
    key: str
    concept: str
    start: str
    end: str | None
    attributes: tuple[Attribute, ...]
    counts: dict[str, str]
    supply: str = ""
    else_next_day: bool = False
    visit: bool = False
    first: bool = True
    adjusts: bool = True
    chosen: bool = True

    def attribute(self, name: str) -> Attribute:
        return next(each for each in self.attributes if each.name == name)


def _both(name: str, circe: str, of: str, exclude: str = "") -> tuple[Attribute, Attribute]:
    """A list of concepts, and its form as a concept set (Circe 1.12)."""
    return Attribute(name, circe, "concepts", of, exclude), Attribute(f"{name}_set", f"{circe}CS", "selection", of)


def _set(name: str, circe: str, of: str) -> Attribute:
    return Attribute(f"{name}_set", f"{circe}CS", "selection", of)


START = Attribute("start", "OccurrenceStartDate", "date", "start")
END = Attribute("end", "OccurrenceEndDate", "date", "end")
AGE = Attribute("age", "Age", "number", "age_at_start")
AGES = (
    Attribute("age_at_start", "AgeAtStart", "number", "age_at_start"),
    Attribute("age_at_end", "AgeAtEnd", "number", "age_at_end"),
)
GENDER = _both("gender", "Gender", "person.gender_concept_id")
SPECIALTY = _both("provider_specialty", "ProviderSpecialty", "provider.specialty_concept_id")
PERSON = (AGE, *GENDER)
CLINICAL = (*PERSON, *SPECIALTY, *_both("visit_type", "VisitType", "visit.visit_concept_id"))
ERA = (
    Attribute("start", "EraStartDate", "date", "start"),
    Attribute("end", "EraEndDate", "date", "end"),
    Attribute("length", "EraLength", "number", "length"),
    *AGES,
    *GENDER,
)
UNIT = _both("unit", "Unit", "unit_concept_id")
VALUE = _both("value_as_concept", "ValueAsConcept", "value_as_concept_id")
PERIOD = (
    Attribute("start", "PeriodStartDate", "date", "start"),
    Attribute("end", "PeriodEndDate", "date", "end"),
    Attribute("user_defined", "UserDefinedPeriod", "period", ""),
    Attribute("length", "PeriodLength", "number", "length"),
    *AGES,
)
PLACE = Attribute("place_of_service_region", "PlaceOfServiceLocation", "set", "care_site_region")


def _type(circe: str, column: str) -> tuple[Attribute, Attribute]:
    return _both("type", f"{circe}Type", column, f"{circe}TypeExclude")


def _source(circe: str, column: str) -> Attribute:
    return Attribute("source_concepts", f"{circe}SourceConcept", "set", column)


DOMAINS = (
    Domain(
        "condition_occurrence",
        "ConditionOccurrence",
        "condition_occurrence",
        "condition_occurrence_id",
        "condition_concept_id",
        "condition_start_date",
        "condition_end_date",
        (
            START,
            END,
            *_type("Condition", "condition_type_concept_id"),
            Attribute("stop_reason", "StopReason", "text", "stop_reason"),
            _source("Condition", "condition_source_concept_id"),
            *CLINICAL,
            *_both("status", "ConditionStatus", "condition_status_concept_id"),
        ),
        {"DOMAIN_CONCEPT": "condition_concept_id", "DURATION": "length"},
        else_next_day=True,
        visit=True,
    ),
    Domain(
        "condition_era",
        "ConditionEra",
        "condition_era",
        "condition_era_id",
        "condition_concept_id",
        "condition_era_start_date",
        "condition_era_end_date",
        (*ERA, Attribute("occurrences", "OccurrenceCount", "number", "condition_occurrence_count")),
        {
            "DOMAIN_CONCEPT": "condition_concept_id",
            "ERA_OCCURRENCES": "condition_occurrence_count",
            "DURATION": "length",
        },
    ),
    Domain(
        "drug_exposure",
        "DrugExposure",
        "drug_exposure",
        "drug_exposure_id",
        "drug_concept_id",
        "drug_exposure_start_date",
        "drug_exposure_end_date",
        (
            START,
            Attribute("end", "OccurrenceEndDate", "date", "start"),  # Circe compares it with the start
            *_type("Drug", "drug_type_concept_id"),
            Attribute("stop_reason", "StopReason", "text", "stop_reason"),
            Attribute("refills", "Refills", "number", "refills"),
            Attribute("quantity", "Quantity", "decimal", "quantity"),
            Attribute("days_supply", "DaysSupply", "number", "days_supply"),
            *_both("route", "RouteConcept", "route_concept_id"),
            Attribute("effective_dose", "EffectiveDrugDose", "decimal", "", ignored=True),
            *_both("dose_unit", "DoseUnit", "dose_unit_concept_id"),
            Attribute("lot_number", "LotNumber", "text", "lot_number"),
            _source("Drug", "drug_source_concept_id"),
            *CLINICAL,
        ),
        {
            "DOMAIN_CONCEPT": "drug_concept_id",
            "DAYS_SUPPLY": "days_supply",
            "QUANTITY": "quantity",
            "REFILLS": "refills",
            "DURATION": "length",
        },
        supply="days_supply",
        else_next_day=True,
        visit=True,
    ),
    Domain(
        "drug_era",
        "DrugEra",
        "drug_era",
        "drug_era_id",
        "drug_concept_id",
        "drug_era_start_date",
        "drug_era_end_date",
        (
            *ERA,
            Attribute("occurrences", "OccurrenceCount", "number", "drug_exposure_count"),
            Attribute("gap_days", "GapDays", "number", "gap_days"),
        ),
        {
            "DOMAIN_CONCEPT": "drug_concept_id",
            "ERA_OCCURRENCES": "drug_exposure_count",
            "GAP_DAYS": "gap_days",
            "DURATION": "length",
        },
    ),
    Domain(
        "dose_era",
        "DoseEra",
        "dose_era",
        "dose_era_id",
        "drug_concept_id",
        "dose_era_start_date",
        "dose_era_end_date",
        (*ERA, *UNIT, Attribute("dose", "DoseValue", "decimal", "dose_value")),
        {
            "DOMAIN_CONCEPT": "drug_concept_id",
            "UNIT": "unit_concept_id",
            "VALUE_AS_NUMBER": "dose_value",
            "DURATION": "length",
        },
    ),
    Domain(
        "procedure_occurrence",
        "ProcedureOccurrence",
        "procedure_occurrence",
        "procedure_occurrence_id",
        "procedure_concept_id",
        "procedure_date",
        None,
        (
            START,
            *_type("Procedure", "procedure_type_concept_id"),
            *_both("modifier", "Modifier", "modifier_concept_id"),
            Attribute("quantity", "Quantity", "number", "quantity"),
            _source("Procedure", "procedure_source_concept_id"),
            *CLINICAL,
        ),
        {"DOMAIN_CONCEPT": "procedure_concept_id", "QUANTITY": "quantity", "DURATION": "one"},
        else_next_day=True,
        visit=True,
    ),
    Domain(
        "measurement",
        "Measurement",
        "measurement",
        "measurement_id",
        "measurement_concept_id",
        "measurement_date",
        None,
        (
            START,
            *_type("Measurement", "measurement_type_concept_id"),
            *_both("operator", "Operator", "operator_concept_id"),
            Attribute("value", "ValueAsNumber", "decimal", "value_as_number"),
            *VALUE,
            *UNIT,
            Attribute("range_low", "RangeLow", "decimal", "range_low"),
            Attribute("range_high", "RangeHigh", "decimal", "range_high"),
            Attribute("range_low_ratio", "RangeLowRatio", "decimal", "ratio.range_low"),
            Attribute("range_high_ratio", "RangeHighRatio", "decimal", "ratio.range_high"),
            Attribute("abnormal", "Abnormal", "flag", "abnormal"),
            _source("Measurement", "measurement_source_concept_id"),
            *CLINICAL,
        ),
        {
            "DOMAIN_CONCEPT": "measurement_concept_id",
            "VALUE_AS_NUMBER": "value_as_number",
            "RANGE_LOW": "range_low",
            "RANGE_HIGH": "range_high",
            "DURATION": "one",
        },
        else_next_day=True,
        visit=True,
    ),
    Domain(
        "observation",
        "Observation",
        "observation",
        "observation_id",
        "observation_concept_id",
        "observation_date",
        None,
        (
            START,
            *_type("Observation", "observation_type_concept_id"),
            Attribute("value", "ValueAsNumber", "decimal", "value_as_number"),
            Attribute("value_as_text", "ValueAsString", "text", "value_as_string"),
            *VALUE,
            *_both("qualifier", "Qualifier", "qualifier_concept_id"),
            *UNIT,
            _source("Observation", "observation_source_concept_id"),
            *CLINICAL,
        ),
        {"DOMAIN_CONCEPT": "observation_concept_id", "VALUE_AS_NUMBER": "value_as_number", "DURATION": "one"},
        else_next_day=True,
        visit=True,
    ),
    Domain(
        "observation_period",
        "ObservationPeriod",
        "observation_period",
        "observation_period_id",
        "period_type_concept_id",
        "observation_period_start_date",
        "observation_period_end_date",
        (*PERIOD, *_both("type", "PeriodType", "period_type_concept_id")),
        {"DOMAIN_CONCEPT": "period_type_concept_id", "DURATION": "length"},
        chosen=False,
    ),
    Domain(
        "payer_plan_period",
        "PayerPlanPeriod",
        "payer_plan_period",
        "payer_plan_period_id",
        "payer_concept_id",
        "payer_plan_period_start_date",
        "payer_plan_period_end_date",
        (
            *PERIOD,
            *GENDER,
            Attribute("payer", "PayerConcept", "set", "payer_concept_id"),
            Attribute("plan", "PlanConcept", "set", "plan_concept_id"),
            Attribute("sponsor", "SponsorConcept", "set", "sponsor_concept_id"),
            Attribute("stop_reason", "StopReasonConcept", "set", "stop_reason_concept_id"),
            Attribute("payer_source", "PayerSourceConcept", "set", "payer_source_concept_id"),
            Attribute("plan_source", "PlanSourceConcept", "set", "plan_source_concept_id"),
            Attribute("sponsor_source", "SponsorSourceConcept", "set", "sponsor_source_concept_id"),
            Attribute("stop_reason_source", "StopReasonSourceConcept", "set", "stop_reason_source_concept_id"),
        ),
        {"DOMAIN_CONCEPT": "payer_concept_id", "DURATION": "length"},
        chosen=False,
    ),
    Domain(
        "visit_occurrence",
        "VisitOccurrence",
        "visit_occurrence",
        "visit_occurrence_id",
        "visit_concept_id",
        "visit_start_date",
        "visit_end_date",
        (
            START,
            END,
            *_both("type", "VisitType", "visit_type_concept_id", "VisitTypeExclude"),
            Attribute("source_concepts", "VisitSourceConcept", "set", "visit_source_concept_id"),
            Attribute("length", "VisitLength", "number", "length"),
            *PERSON,
            *SPECIALTY,
            *_both("place_of_service", "PlaceOfService", "care_site.place_of_service_concept_id"),
            PLACE,
        ),
        {"DOMAIN_CONCEPT": "visit_concept_id", "DURATION": "length"},
        visit=True,
    ),
    Domain(
        "visit_detail",
        "VisitDetail",
        "visit_detail",
        "visit_detail_id",
        "visit_detail_concept_id",
        "visit_detail_start_date",
        "visit_detail_end_date",
        (
            Attribute("start", "VisitDetailStartDate", "date", "start"),
            Attribute("end", "VisitDetailEndDate", "date", "end"),
            _set("type", "VisitDetailType", "visit_detail_type_concept_id"),
            _source("VisitDetail", "visit_detail_source_concept_id"),
            Attribute("length", "VisitDetailLength", "number", "length"),
            Attribute("age", "Age", "number", "age_at_end"),  # Circe takes the age at the end here
            GENDER[1],
            SPECIALTY[1],
            _set("place_of_service", "PlaceOfService", "care_site.place_of_service_concept_id"),
            PLACE,
        ),
        {"DOMAIN_CONCEPT": "visit_detail_concept_id", "DURATION": "length"},
        visit=True,
    ),
    Domain(
        "device_exposure",
        "DeviceExposure",
        "device_exposure",
        "device_exposure_id",
        "device_concept_id",
        "device_exposure_start_date",
        "device_exposure_end_date",
        (
            START,
            END,
            *_type("Device", "device_type_concept_id"),
            Attribute("unique_device_id", "UniqueDeviceId", "text", "unique_device_id"),
            Attribute("quantity", "Quantity", "number", "quantity"),
            _source("Device", "device_source_concept_id"),
            *CLINICAL,
        ),
        {"DOMAIN_CONCEPT": "device_concept_id", "QUANTITY": "quantity", "DURATION": "length"},
        else_next_day=True,
        visit=True,
    ),
    Domain(
        "death",
        "Death",
        "death",
        "person_id",
        "cause_concept_id",
        "death_date",
        None,
        (
            START,
            *_type("Death", "death_type_concept_id"),
            _source("Death", "cause_source_concept_id"),
            *PERSON,
        ),
        {"DOMAIN_CONCEPT": "cause_concept_id", "DURATION": "one"},
        else_next_day=True,
        first=False,
    ),
    Domain(
        "specimen",
        "Specimen",
        "specimen",
        "specimen_id",
        "specimen_concept_id",
        "specimen_date",
        None,
        (
            START,
            *_type("Specimen", "specimen_type_concept_id"),
            Attribute("quantity", "Quantity", "decimal", "quantity"),
            *UNIT,
            *_both("anatomic_site", "AnatomicSite", "anatomic_site_concept_id"),
            *_both("disease_status", "DiseaseStatus", "disease_status_concept_id"),
            Attribute("source_id", "SourceId", "text", "specimen_source_id"),
            Attribute("source_concepts", "SpecimenSourceConcept", "set", "", ignored=True),
            *PERSON,
        ),
        {"DOMAIN_CONCEPT": "specimen_concept_id", "DURATION": "one"},
        else_next_day=True,
        adjusts=False,
    ),
    Domain(
        "episode",
        "Episode",
        "episode",
        "episode_id",
        "episode_concept_id",
        "episode_start_date",
        "episode_end_date",
        (
            Attribute("start", "EpisodeStartDate", "date", "start"),
            Attribute("end", "EpisodeEndDate", "date", "end"),
            Attribute("number", "EpisodeNumber", "number", "episode_number"),
            AGE,
            GENDER[1],
            _set("object", "EpisodeObjectConcept", "episode_object_concept_id"),
            _set("type", "EpisodeType", "episode_type_concept_id"),
        ),
        {"DOMAIN_CONCEPT": "episode_concept_id", "DURATION": "length"},
    ),
    Domain(
        "location_region",
        "LocationRegion",
        "location_history",
        "location_history_id",
        "region_concept_id",
        "start_date",
        "end_date",
        (
            Attribute("start", "StartDate", "date", "", ignored=True),
            Attribute("end", "EndDate", "date", "", ignored=True),
        ),
        {"DOMAIN_CONCEPT": "region_concept_id"},
        first=False,
        adjusts=False,
    ),
)

# What Circe calls a demographic criterion asks the index event and its person, not a table of events.
DEMOGRAPHIC = (
    AGE,
    *GENDER,
    *_both("race", "Race", "person.race_concept_id"),
    *_both("ethnicity", "Ethnicity", "person.ethnicity_concept_id"),
    START,
    END,
)

BY_NAME = {domain.name: domain for domain in DOMAINS}
BY_CIRCE = {domain.circe: domain for domain in DOMAINS}
ABNORMAL = (4155142, 4155143)  # value_as_concept_id: abnormally high, abnormally low
REGION_END = "2099-12-31"  # Circe's end of a place of residence without one
