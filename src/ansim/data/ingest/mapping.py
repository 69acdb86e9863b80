"""Mapping files: how a hospital's own tables, or FHIR resources, become rows of the CDM. Data, checked before any row.

A mapping is a TOML or YAML document `ansim = "mapping/1"`; docs/data/loading.md tells its whole form with an example.
Each rule names what it reads (`from`), the table it fills (`to`, or "domain": the target concept's domain chooses), and
a value for each column: a column or path of the source, a list of which the first that is not empty counts, a constant,
or a table of one of the forms in VALUE_FORMS.
"""

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ansim.data.cdm import tables
from ansim.documents import digest
from ansim.errors import N_, Problem, Problems

# Columns that name another row by the key it has in the source, and the table whose key they give.
REFERENCES = {
    "person": "person",
    "visit": "visit_occurrence",
    "visit_detail": "visit_detail",
    "provider": "provider",
    "care_site": "care_site",
    "location": "location",
    "payer_plan_period": "payer_plan_period",
}
KEYED = tuple(REFERENCES.values())
# Where the events of a domain go. A domain without a table of its own goes where the rule's `otherwise` says.
DOMAINS = {
    "Condition": "condition_occurrence",
    "Drug": "drug_exposure",
    "Procedure": "procedure_occurrence",
    "Measurement": "measurement",
    "Observation": "observation",
    "Device": "device_exposure",
    "Specimen": "specimen",
}
# Words that stand for the columns of whichever table a row goes to.
GENERIC = {"code", "start", "end", "type", "value", "unit", "birth", *REFERENCES}
VALUE_FORMS = {
    "text": {"text"},
    "code": {"code", "vocabulary", "system", "name", "through", "by"},
    "values": {"values", "of", "default"},
    "row": {"row"},
    "refers": {"refers", "by"},
}
LOOKUP = "lookup"  # `to` of rules whose rows only lend their code to others (FHIR Medication)
PARTS = {"id", "from", "to", "otherwise", "key", "also", "each", "when", "unless", "refuse", "expect_units", "columns"}
TOP = {"ansim", "title", "source", "extends", "vocabularies", "units", "type_concept", "two_digit_years_until"}


@dataclass(frozen=True)
class Rule:
    id: str
    source: str
    to: str
    columns: dict[str, Any]
    otherwise: str = "observation"
    key: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    each: str = ""
    when: dict[str, Any] = field(default_factory=dict)
    unless: dict[str, Any] = field(default_factory=dict)
    refuse: dict[str, Any] = field(default_factory=dict)
    expect_units: dict[str, list[str]] = field(default_factory=dict)

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(DOMAINS.values()) if self.to == "domain" else (self.to,)


@dataclass(frozen=True)
class Mapping:
    source: str  # "table" or "fhir"
    rules: tuple[Rule, ...]
    vocabularies: dict[str, str]
    units: dict[str, str]
    type_concept: int
    two_digit_years_until: int | None
    digest: str


def read_mapping(path: Path) -> Mapping:
    """A mapping file, checked. Raises Problems with every error found."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise Problem(
            "bad-mapping",
            N_("The mapping cannot be read: {detail}"),
            where=str(path),
            detail=str(error).splitlines()[0],
        ) from error
    return parse_mapping(data, str(path))


def built_in(name: str) -> Mapping:
    """A mapping that comes with Ansim: "fhir_r4" or "synthea"."""
    return parse_mapping(tomllib.loads(_built_in_text(name)), name)


def _built_in_text(name: str) -> str:
    place = files(__package__).joinpath("mappings", f"{name}.toml")
    if not place.is_file():
        raise Problem("no-mapping", N_("There is no mapping of the name {name}."), where=name, name=name)
    return place.read_text(encoding="utf-8")


def parse_mapping(data: Any, where: str) -> Mapping:
    """The mapping in parsed TOML or YAML. `extends` takes over a built-in one; own rules of the same id replace."""
    if not isinstance(data, dict) or data.get("ansim") != "mapping/1":
        raise Problem(
            "bad-mapping", N_("This is no mapping."), where=where, remedy=N_('Begin the file with ansim = "mapping/1".')
        )
    problems = [_unknown(where, name) for name in sorted(set(data) - TOP - {"rule"})]
    base = tomllib.loads(_built_in_text(data["extends"])) if data.get("extends") else {}
    own = [rule for rule in data.get("rule", []) if isinstance(rule, dict)]
    replaced = {rule.get("id") for rule in own}
    listed = [rule for rule in base.get("rule", []) if rule["id"] not in replaced] + own
    rules: list[Rule] = []
    seen: set[str] = set()
    for given in listed:
        place = f"{where}: rule {given.get('id', '?')}"
        found = _check_rule(given, place)
        if given.get("id") in seen:
            found.append(_problem(place, N_("The id is used already.")))
        seen.add(str(given.get("id")))
        problems += found
        if not found:
            rules.append(_rule(given))
    if not listed:
        problems.append(_problem(where, N_("The mapping has no rule.")))
    source = data.get("source", base.get("source", "table"))
    if source not in {"table", "fhir"}:
        problems.append(_problem(where, N_('source is "table" or "fhir".')))
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    whole = {"base": base, **data}
    return Mapping(
        source,
        tuple(rules),
        {**base.get("vocabularies", {}), **data.get("vocabularies", {})},
        {**_units(), **base.get("units", {}), **data.get("units", {})},
        int(data.get("type_concept", base.get("type_concept", 32817))),
        data.get("two_digit_years_until", base.get("two_digit_years_until")),
        digest(_without_floats(whole)),
    )


def _units() -> dict[str, str]:
    """Unit texts as Korean hospitals write them, with their UCUM codes."""
    return tomllib.loads(_built_in_text("units"))["units"]


def _rule(given: dict[str, Any]) -> Rule:
    return Rule(
        id=given["id"],
        source=given["from"],
        to=given["to"],
        columns=given["columns"],
        otherwise=given.get("otherwise", "observation"),
        key=tuple(_listed(given.get("key", []))),
        also=tuple(_listed(given.get("also", []))),
        each=given.get("each", ""),
        when=given.get("when", {}),
        unless=given.get("unless", {}),
        refuse=given.get("refuse", {}),
        expect_units=given.get("expect_units", {}),
    )


def _check_rule(given: dict[str, Any], place: str) -> list[Problem]:
    problems = [_unknown(place, name) for name in sorted(set(given) - PARTS)]
    for part in ("id", "from", "to", "columns"):
        if not given.get(part):
            problems.append(_problem(place, N_("{name} is missing."), name=part))
    if problems:
        return problems
    to, columns = given["to"], given["columns"]
    if to not in {"domain", LOOKUP} and to not in tables():
        return [_problem(place, N_("{table} is no table of OMOP CDM 5.4."), table=to)]
    if given.get("otherwise", "observation") not in DOMAINS.values():
        problems.append(_problem(place, N_("otherwise names a table of events.")))
    targets = [] if to == LOOKUP else [tables()[name] for name in (DOMAINS.values() if to == "domain" else (to,))]
    allowed = {name for table in targets for name in table.names} | GENERIC
    for name, spec in columns.items():
        if name not in allowed:
            problems.append(_problem(place, N_("{name} is no column of {table}."), name=name, table=to))
        problems += _check_value(spec, f"{place}: {name}")
    if any(table.personal for table in targets) and to != "person" and not {"person", "person_id"} & set(columns):
        problems.append(_problem(place, N_("{name} is missing."), name="person"))
    if to == "domain" and not {"code", "start"} <= set(columns):
        problems.append(_problem(place, N_("Events need code and start.")))
    if to in (*KEYED, LOOKUP) and not given.get("key") and f"{to}_id" not in columns:
        problems.append(_problem(place, N_("{name} is missing."), name="key"))
    return problems


def _check_value(spec: Any, place: str) -> list[Problem]:
    if isinstance(spec, str | int | float) or (isinstance(spec, list) and all(isinstance(one, str) for one in spec)):
        return []
    if isinstance(spec, dict):
        for form, parts in VALUE_FORMS.items():
            if form in spec and set(spec) <= parts:
                return []
    return [
        _problem(
            place, N_("This is no value: a column, a list of columns, a number, or a table with {forms}."), forms=_FORMS
        )
    ]


_FORMS = ", ".join(VALUE_FORMS)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _unknown(where: str, name: str) -> Problem:
    return _problem(where, N_("{name} is no part of a mapping."), name=name)


def _problem(where: str, text: str, **facts: Any) -> Problem:
    return Problem("bad-mapping", text, where=where, **facts)


def _without_floats(data: Any) -> Any:
    """Signed and compared documents hold no floats; dates of YAML and TOML become text."""
    if isinstance(data, dict):
        return {str(key): _without_floats(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_without_floats(value) for value in data]
    return data if isinstance(data, str | int | bool) or data is None else str(data)
