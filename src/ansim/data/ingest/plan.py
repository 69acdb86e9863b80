"""A rule compiled for one source: what is picked from it, what is looked up, what is written, what is refused."""

from dataclasses import dataclass, field
from typing import Any

from ansim.data.cdm import literal, quoted, tables
from ansim.data.ingest.casts import KINDS, cast, day, moment, number, reason
from ansim.data.ingest.mapping import DOMAINS, KEYED, LOOKUP, REFERENCES, Mapping, Rule
from ansim.data.ingest.readers import Reader, coding_of, system_of
from ansim.errors import N_

# Every reason that a mapped row can be refused for.
MISSING, NOBODY, TWICE = N_("is missing"), N_("names no row of this load"), N_("is used already")
LEFT_OUT, ODD_UNIT = N_("marks a row that is left out"), N_("is no expected unit for this code")
NO_RULE, NOT_FHIR = N_("no rule takes this row"), N_("is no FHIR resource")
OPERATORS = {"<": 4171756, "<=": 4171754, "≤": 4171754, ">": 4172704, ">=": 4171755, "≥": 4171755, "=": 4172703}
_COMPARED = "^(<=|>=|<|>|≤|≥|=)?[ ]*(.*)$"


@dataclass
class Plan:
    """picked: columns taken from the source as text (or codings). made: columns of the staged rows, by name: CDM
    columns, and `_code`, `_start` … for words whose column depends on the table. joins: look-ups, as SQL."""

    rule: Rule
    picked: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    joins: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)  # picked columns that hold codings
    values: dict[str, str] = field(default_factory=dict)  # picked columns with a value map: is the value in it?
    links: list[str] = field(default_factory=list)  # conditions over picked and staged rows: a link that led nowhere
    unit: bool = False
    source: str = "item"
    where: str = "true"


def compile_rule(rule: Rule, mapping: Mapping, reader: Reader) -> Plan:
    """Raises Problem when the rule names a column or path that the source cannot have."""
    plan = Plan(rule)
    outer = reader
    if rule.each:
        listed, reader = reader.items(rule.each)
        plan.source = (
            f"(SELECT *, generate_subscripts({listed}, 1) AS _nth, unnest({listed}) AS part FROM item "
            f"WHERE len({listed}) > 0)"
        )
    plan.where = _condition(rule, outer)
    for path, unwanted in rule.refuse.items():
        name = f"_refuse {path}"
        plan.picked[name] = outer.value(path)
        plan.reasons.append(reason(_among(f"p.{quoted(name)}", unwanted), path, LEFT_OUT, f"p.{quoted(name)}"))
    _keys(plan, rule, reader)
    for name, spec in rule.columns.items():
        _column(plan, name, spec, mapping, reader)
    if "type" not in rule.columns and rule.to != LOOKUP:
        plan.made["_type"] = str(mapping.type_concept)
    for code, units in rule.expect_units.items():
        odd = f"p.code[1].code = {literal(code)} AND p.unit NOT IN ({', '.join(map(literal, units))})"
        plan.reasons.append(reason(odd, "unit", ODD_UNIT, "p.unit"))
    return plan


def _condition(rule: Rule, reader: Reader) -> str:
    parts = [_among(reader.value(path), wanted) for path, wanted in rule.when.items()]
    parts += [f"NOT coalesce({_among(reader.value(path), unwanted)}, false)" for path, unwanted in rule.unless.items()]
    return " AND ".join(parts) or "true"


def _among(sql: str, wanted: Any) -> str:
    if isinstance(wanted, bool):
        return f"{sql} IS {'NOT ' if wanted else ''}NULL"
    listed = [wanted] if isinstance(wanted, str) else wanted
    return f"{sql} IN ({', '.join(literal(str(one)) for one in listed)})"


def _keys(plan: Plan, rule: Rule, reader: Reader) -> None:
    for name, paths in (("_key", rule.key), ("_also", rule.also)):
        if paths:
            plan.picked[name] = " || '|' || ".join(reader.value(path) for path in paths)
            if rule.each:
                plan.picked[name] += " || '#' || _nth"
            plan.made[name] = f"p.{name}"
    if rule.key and rule.to in (*KEYED, LOOKUP):
        plan.reasons.append(reason("p._key IS NULL", rule.key[0], MISSING))


def _pick(plan: Plan, name: str, spec: Any, reader: Reader) -> str:
    """Take the text that a plain value names; returns how the picked row calls it."""
    paths = [spec] if isinstance(spec, str) else spec
    plan.picked[name] = f"coalesce({', '.join(reader.value(path) for path in paths)}, NULL)"
    return f"p.{quoted(name)}"


def _column(plan: Plan, name: str, spec: Any, mapping: Mapping, reader: Reader) -> None:
    until = mapping.two_digit_years_until
    if isinstance(spec, dict) and "code" in spec:
        _code(plan, name, spec, reader)
    elif isinstance(spec, dict) and "values" in spec:
        _value_map(plan, name, spec, reader)
    elif isinstance(spec, dict) and "refers" in spec:
        _reference(plan, name, _pick(plan, name, spec["by"], reader), spec["refers"], _made(name))
    elif isinstance(spec, dict) and "row" in spec:
        plan.joins.append(
            f"LEFT JOIN trace.row w_{name} ON w_{name}.file = $file AND w_{name}.line = p.line AND w_{name}.rule = "
            f"(SELECT number FROM trace.rule WHERE id = {literal(spec['row'])})"
        )
        plan.made[_made(name)] = f"w_{name}.id"
        if _required(plan.rule, name):
            plan.reasons.append(reason(f"w_{name}.id IS NULL", name, NOBODY))
    elif isinstance(spec, dict) and "text" in spec:
        plan.made[_made(name)] = literal(spec["text"])
    elif isinstance(spec, int | float):
        plan.made[_made(name)] = str(spec)
    elif name == "code":
        _code(plan, name, {"code": spec}, reader)
    elif name in REFERENCES:
        table = REFERENCES[name]
        _reference(plan, name, _pick(plan, name, spec, reader), table, f"{table}_id")
    else:
        _plain(plan, name, _pick(plan, name, spec, reader), until)


def _made(name: str) -> str:
    return f"_{name}" if name in {"code", "start", "end", "type"} else name


def _plain(plan: Plan, name: str, sql: str, until: int | None) -> None:
    if name in {"start", "end"}:
        plan.made[f"_{name}"], plan.made[f"_{name}_time"] = day(sql, until), moment(sql, until)
        if name == "start":
            plan.reasons.append(reason(f"{sql} IS NULL", name, MISSING))
        plan.reasons.append(reason(f"{sql} IS NOT NULL AND {day(sql, until)} IS NULL", name, KINDS["DATE"], sql))
        bad_time = f"{sql} IS NOT NULL AND {moment(sql, until)} IS NULL"
        plan.reasons.append(reason(bad_time, name, KINDS["TIMESTAMP"], sql))
    elif name == "birth":
        _birth(plan, sql, until)
    elif name == "value":
        bare = f"regexp_extract({sql}, '{_COMPARED}', 2)"
        sign = f"regexp_extract({sql}, '{_COMPARED}', 1)"
        plan.made |= {"value_as_number": number(bare), "value_source_value": sql, "value_as_string": sql}
        signs = " ".join(f"WHEN {literal(text)} THEN {concept}" for text, concept in OPERATORS.items())
        plan.made["operator_concept_id"] = f"CASE WHEN {number(bare)} IS NOT NULL THEN CASE {sign} {signs} END END"
    elif name == "unit":
        plan.unit = True
        plan.joins.append(f"LEFT JOIN unit_answer u ON u.text = {sql}")
        plan.made["unit_concept_id"] = f"CASE WHEN {sql} IS NOT NULL THEN coalesce(u.concept, 0) END"
        plan.made.setdefault("unit_source_value", sql)
    else:
        type = _type_of(plan.rule, name)
        plan.made[name] = cast(sql, type, until)
        if type != "VARCHAR":
            misfit = f"{sql} IS NOT NULL AND {plan.made[name]} IS NULL"
            plan.reasons.append(reason(misfit, name, KINDS[type], sql))


def _type_of(rule: Rule, name: str) -> str:
    if name == "type":
        return "BIGINT"
    found = [tables()[table].column(name) for table in rule.targets if name in tables()[table].names]
    return found[0].type


def _birth(plan: Plan, sql: str, until: int | None) -> None:
    whole, partial = day(sql, until), "^([0-9]{4})(?:[-./년 ]+([0-9]{1,2})월?)?$"
    for part, index in (("year", 1), ("month", 2)):
        rest = f"try_cast(regexp_extract({sql}, '{partial}', {index}) AS BIGINT)"
        plan.made[f"{part}_of_birth"] = f"coalesce({part}({whole}), {rest})"
    plan.made["day_of_birth"] = f"day({whole})"
    plan.made["birth_datetime"] = f"({whole})::TIMESTAMP"
    plan.reasons.append(reason(f"{sql} IS NULL", "birth", MISSING))
    plan.reasons.append(reason(f"{plan.made['year_of_birth']} IS NULL", "birth", KINDS["DATE"], sql))
    plan.reasons.append(reason(f"{plan.made['month_of_birth']} NOT BETWEEN 1 AND 12", "birth", KINDS["DATE"], sql))


def _reference(plan: Plan, name: str, sql: str, kind: str, column: str) -> None:
    """The id of the row of the table `kind` that has this key; where the CDM demands one, no row goes without."""
    plan.joins.append(f"LEFT JOIN trace.key k_{name} ON k_{name}.kind = {literal(kind)} AND k_{name}.source = {sql}")
    plan.made[column] = f"k_{name}.id"
    if _required(plan.rule, column):
        plan.reasons.append(reason(f"{sql} IS NULL", name, MISSING))
        plan.reasons.append(reason(f"k_{name}.id IS NULL", name, NOBODY, sql))
    else:
        plan.links.append(f"{sql} IS NOT NULL AND staged.{quoted(column)} IS NULL")


def _required(rule: Rule, column: str) -> bool:
    targets = [tables()[target] for target in rule.targets]
    return any(column in table.names and table.column(column).required for table in targets)


def _value_map(plan: Plan, name: str, spec: dict, reader: Reader) -> None:
    sql = _pick(plan, name, spec["of"], reader)
    whens = " ".join(f"WHEN {literal(str(text))} THEN {_constant(out)}" for text, out in spec["values"].items())
    plan.made[_made(name)] = f"CASE {sql} {whens} ELSE {_constant(spec.get('default'))} END"
    plan.values[name] = f"{sql} IN ({', '.join(literal(str(text)) for text in spec['values'])})"


def _constant(value: Any) -> str:
    return "NULL" if value is None else literal(value) if isinstance(value, str) else str(value)


def _code(plan: Plan, name: str, spec: dict, reader: Reader) -> None:
    """A code column: its codings are picked, and answered by `codes.answer_codes`."""
    plain = "vocabulary" in spec or "system" in spec
    codings, text = ("NULL", reader.value(spec["code"])) if plain else reader.codings(spec["code"])
    if codings == "NULL":
        display = reader.value(spec["name"]) if "name" in spec else "NULL::VARCHAR"
        codings = coding_of(text, system_of(spec, reader), display)
    else:
        if "through" in spec:
            found = f"(SELECT any_value(l.codings) FROM lookup l WHERE l.kind = {literal(spec['through'])} "
            plan.picked[f"_{name} by"] = reader.value(spec["by"])
            codings = (
                f"CASE WHEN len({codings}) > 0 THEN {codings} ELSE {found} AND l.key = {reader.value(spec['by'])}) END"
            )
        codings = f"CASE WHEN len({codings}) > 0 THEN {codings} ELSE {coding_of(text, literal('text'), text)} END"
    plan.picked[name] = codings
    plan.codes.append(name)
    sql = f"p.{quoted(name)}"
    if name == "code":
        plan.joins.append(f"LEFT JOIN code_answer a ON a.codings = {sql}")
        plan.made |= {"_code": "coalesce(a.target, 0)", "_source_concept": "coalesce(a.source_concept, 0)"}
        plan.made |= {"_source_value": "a.source_value", "_domain": "a.domain", "_value_target": "a.value_target"}
        plan.made["_place"] = "coalesce(a.place, 1)"
        plan.reasons.append(reason(f"{sql} IS NULL", "code", MISSING))
        return
    plan.joins.append(f"LEFT JOIN code_answer a_{name} ON a_{name}.codings = {sql} AND a_{name}.place = 1")
    stem = "value" if name == "value_as_concept_id" else name.removesuffix("_concept_id")
    plan.made[name] = f"a_{name}.target"
    plan.made.setdefault(f"{stem}_source_concept_id", f"a_{name}.source_concept")
    plan.made.setdefault(f"{stem}_source_value", f"a_{name}.source_value")


def columns_for(plan: Plan, table: str) -> dict[str, str]:
    """For each column of the table that the staged rows can fill: the staged column."""
    stem = {"condition_occurrence": "condition", "drug_exposure": "drug", "procedure_occurrence": "procedure"}
    stem |= {"device_exposure": "device", "visit_occurrence": "visit", "note": "note"}
    short, names = stem.get(table, table), tables()[table].names
    wanted: dict[str, list[str]] = {
        "_start": [f"{short}_start_date", f"{table}_start_date", f"{short}_date"],
        "_end": [f"{short}_end_date", f"{table}_end_date"],
        "_code": [f"{short}_concept_id", "cause_concept_id" if table == "death" else ""],
        "_source_concept": [f"{short}_source_concept_id", "cause_source_concept_id" if table == "death" else ""],
        "_source_value": [f"{short}_source_value", "cause_source_value" if table == "death" else ""],
        "_type": [f"{short}_type_concept_id"],
    }
    wanted |= {f"{word}_time": [f"{name}time" for name in wanted[word]] for word in ("_start", "_end")}
    found = {name: name for name in names if name in plan.made}
    for word, choices in wanted.items():
        if word in plan.made:
            found |= {name: word for name in choices if name in names and name not in found}
    for word in ("_until", "_until_time") if "_start" in plan.made else ():
        time = "time" if word.endswith("time") else ""
        for name in (f"{short}_end_date", f"{table}_end_date"):
            # Where the CDM demands an end and the source has none: the days of supply, else the day itself.
            if name + time in names and tables()[table].column(name).required:
                found[name + time] = word
    return found


VALUES = ("value_as_number", "value_as_string", "value_as_concept_id")


def domain_table(plan: Plan) -> str:
    """SQL over the staged rows: the table that each goes to. A row with a value goes where values have a place."""
    rule = plan.rule
    if rule.to != "domain":
        return literal(rule.to)
    valued = [f"{name} IS NOT NULL" for name in VALUES if name in plan.made]
    whens = []
    for domain, table in DOMAINS.items():
        place = literal(table)
        if valued and not set(VALUES) & set(tables()[table].names):
            place = f"CASE WHEN {' OR '.join(valued)} THEN {literal(rule.otherwise)} ELSE {place} END"
        whens.append(f"WHEN {literal(domain)} THEN {place}")
    return f"CASE _domain {' '.join(whens)} ELSE {literal(rule.otherwise)} END"
