"""Small random CDMs and definitions of every kind, for property tests and for the oracle of Circe's own SQL."""

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.domains import BY_NAME, DEMOGRAPHIC, DOMAINS, Attribute, Domain

START, SPAN = date(2018, 1, 1), 120
PEOPLE, CONCEPTS = 8, 6
TEXTS = ("abc", "abd", "x%y", "", "bc")
DATED = ("date",)
NUMBERS = {"quantity", "value_as_number", "range_low", "range_high", "dose_value"}
WORDS = {"stop_reason", "lot_number", "unique_device_id", "value_as_string", "specimen_source_id"}
LIKELY = ("condition_occurrence", "drug_exposure", "visit_occurrence")
NOT_IN_CDM = ("location_region",)


def columns(domain: Domain) -> dict[str, str]:
    """The columns of a domain's table that criteria can look at, with DuckDB types."""
    found = {domain.key: "BIGINT", "person_id": "BIGINT", domain.concept: "BIGINT", domain.start: "DATE"}
    found |= {domain.end: "DATE"} if domain.end else {}
    found |= {domain.supply: "INTEGER"} if domain.supply else {}
    found |= {"visit_occurrence_id": "BIGINT"} if domain.visit else {}
    for attribute in domain.attributes:
        table, _, name = attribute.of.rpartition(".")
        if table in ("provider", "care_site"):
            found[f"{table}_id"] = "BIGINT"
        elif table == "visit":
            found["visit_occurrence_id"] = "BIGINT"
        elif (
            not table
            and name not in ("", "start", "end", "length", "abnormal", "care_site_region")
            and "age_at" not in name
        ):
            found[name] = "DOUBLE" if name in NUMBERS else "VARCHAR" if name in WORDS else "BIGINT"
    for name in domain.counts.values():
        if name not in ("length", "one"):
            found.setdefault(name, "DOUBLE" if name in NUMBERS else "BIGINT")
    return found


SHAPES = {domain.table: columns(domain) for domain in DOMAINS if domain.name not in NOT_IN_CDM}
SHAPES |= {
    "person": dict.fromkeys(
        ("person_id", "year_of_birth", "gender_concept_id", "race_concept_id", "ethnicity_concept_id"), "BIGINT"
    ),
    "provider": dict.fromkeys(("provider_id", "specialty_concept_id"), "BIGINT"),
    "care_site": dict.fromkeys(("care_site_id", "place_of_service_concept_id"), "BIGINT"),
    "concept": {"concept_id": "BIGINT", "invalid_reason": "VARCHAR"},
    "concept_ancestor": dict.fromkeys(("ancestor_concept_id", "descendant_concept_id"), "BIGINT"),
    "concept_relationship": {
        "concept_id_1": "BIGINT", "concept_id_2": "BIGINT", "relationship_id": "VARCHAR", "invalid_reason": "VARCHAR",
    },
}  # fmt: skip


def data(chance: random.Random, *, periods: int = 2) -> dict[str, list[dict]]:
    """A CDM with ties, nulls and people without rows; source ids are unique, periods of observation do not overlap."""
    day = lambda: START + timedelta(chance.randrange(SPAN))  # noqa: E731
    concept = lambda: chance.randrange(1, CONCEPTS + 1)  # noqa: E731
    tables: dict[str, list[dict]] = {}
    tables["person"] = [
        {"person_id": key, "year_of_birth": chance.choice([1950, 1990, 2000]),
         "gender_concept_id": chance.choice([1, 2]),
         "race_concept_id": chance.choice([1, 2, None]), "ethnicity_concept_id": concept()}
        for key in range(1, PEOPLE)  # the last one has rows and is nobody
    ]  # fmt: skip
    for domain in DOMAINS:
        if domain.name in NOT_IN_CDM or domain.name == "observation_period":
            continue
        rows = []
        for key in range(
            chance.choice([0, 15, 30] if domain.name not in LIKELY else [40]) if domain.name != "death" else 4
        ):
            row = {name: _value(chance, name, kind, concept) for name, kind in SHAPES[domain.table].items()}
            start = day()
            row |= {domain.key: key + 1, "person_id": chance.randrange(1, PEOPLE + 1), domain.start: start}
            if domain.end:
                row[domain.end] = chance.choice([None, start, start + timedelta(chance.randrange(20))])
            if domain.name == "death":
                row["person_id"] = key + 1
            rows.append(row)
        tables[domain.table] = rows
    tables["observation_period"] = _periods(chance, periods)
    tables["provider"] = [
        {"provider_id": key, "specialty_concept_id": chance.choice([None, concept()])} for key in (1, 2)
    ]
    tables["care_site"] = [{"care_site_id": key, "place_of_service_concept_id": concept()} for key in (1, 2)]
    tables["concept"] = [
        {"concept_id": key, "invalid_reason": chance.choice([None, None, None, "U"])}
        for key in range(1, CONCEPTS + 1) if chance.random() < 0.9
    ]  # fmt: skip
    pairs = {(concept(), concept()) for _ in range(5)}
    tables["concept_ancestor"] = [{"ancestor_concept_id": a, "descendant_concept_id": d} for a, d in sorted(pairs)]
    pairs = {(concept(), concept()) for _ in range(3)}
    tables["concept_relationship"] = [
        {"concept_id_1": a, "concept_id_2": b, "relationship_id": chance.choice(["Maps to", "Is a"]),
         "invalid_reason": chance.choice([None, None, "D"])}
        for a, b in sorted(pairs)
    ]  # fmt: skip
    return tables


def _value(chance: random.Random, name: str, kind: str, concept: Any) -> Any:
    if kind == "DATE":
        return None
    if kind == "VARCHAR":
        return chance.choice([None, *TEXTS])
    if kind == "DOUBLE":
        return chance.choice([None, 0.0, 1.0, 2.5, 2.50004, 7.0])
    if name.endswith("concept_id"):
        return chance.choice([None, *(concept() for _ in range(4))])
    if name in ("provider_id", "care_site_id"):
        return chance.choice([None, 1, 2, 3])
    return chance.choice([None, 1, 2, 3, 4]) if name != "days_supply" else chance.choice([None, 0, 5, 30])


def _periods(chance: random.Random, most: int) -> list[dict]:
    rows = []
    for person in range(1, PEOPLE + 1):
        cuts = sorted(chance.sample(range(-30, SPAN + 30), 2 * chance.randint(0 if chance.random() < 0.2 else 1, most)))
        for first, last in zip(cuts[::2], cuts[1::2], strict=True):
            rows.append({
                "observation_period_id": len(rows) + 1, "person_id": person,
                "period_type_concept_id": chance.randrange(1, 4),
                "observation_period_start_date": START + timedelta(first),
                "observation_period_end_date": START + timedelta(last),
            })  # fmt: skip
    return rows


def load(con: duckdb.DuckDBPyConnection, tables: dict[str, list[dict]]) -> None:
    """Make these tables (and only these) in the connection's fresh schema."""
    con.execute("DROP SCHEMA IF EXISTS made CASCADE; CREATE SCHEMA made; USE made")
    for table, shape in SHAPES.items():
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in shape.items())})")
        rows = tables.get(table, [])
        if rows:
            marks = ", ".join(f"({', '.join('?' for _ in shape)})" for _ in rows)
            con.execute(f"INSERT INTO {table} VALUES {marks}", [row.get(name) for row in rows for name in shape])


class Maker:
    """Random definitions. exotic: also what Circe's own SQL cannot run or does not order."""

    def __init__(self, chance: random.Random, *, exotic: bool = True):
        self.chance, self.exotic = chance, exotic
        self.sets = tuple(self._set(key) for key in range(3))

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def definition(self) -> m.Definition:
        chance = self.chance
        # which of several events counts is ordered by Circe for the primary limit only, and only within one domain
        limits = m.LIMITS if self.exotic else ("all",)
        entries = 1 + self.maybe(0.3)
        return m.Definition(
            entry=m.Entry(
                tuple(self.criterion(0, entry=True) for _ in range(entries)),
                chance.choice([0, 0, 10]),
                chance.choice([0, 0, 10]),
                chance.choice(m.LIMITS if entries == 1 or self.exotic else ("all",)),
            ),
            sets=self.sets,
            where=self.group(2) if self.maybe(0.2) else None,
            qualified=chance.choice(limits),
            rules=tuple(m.Rule(f"rule {i}", self.group(2)) for i in range(chance.choice([0, 0, 1, 2]))),
            limit=chance.choice(limits),
            end=self._end(),
            censor=(self.criterion(0),) if self.maybe(0.2) else (),
            pad=chance.choice([0, 0, 5, 30]),
            within=m.Days(*(self._day() if self.maybe(0.15) else None for _ in range(2))),
        )

    def _day(self) -> date:
        return START + timedelta(self.chance.randrange(SPAN))

    def _set(self, key: int) -> m.ConceptSet:
        members = [
            m.Member(
                m.Concept(self.chance.randrange(1, CONCEPTS + 2)), self.maybe(0.15), self.maybe(0.5), self.maybe(0.2)
            )
            for _ in range(self.chance.choice([0, 2, 3, 3, 4]))
        ]
        return m.ConceptSet(key, f"set {key}", tuple(members))

    def _end(self) -> m.FixedEnd | m.DrugEnd | None:
        chance = self.chance
        fixed = m.FixedEnd(chance.choice(m.SIDES), chance.choice([0, 7, 30, -3]))
        drug = m.DrugEnd(chance.randrange(3), chance.choice([0, 10]), chance.choice([0, 3]), chance.choice([None, 5]))
        return chance.choice([None, fixed, fixed, drug])

    def criterion(self, depth: int, entry: bool = False) -> m.Criterion:
        chance = self.chance
        names = [each.name for each in DOMAINS if each.name not in NOT_IN_CDM]
        domain = BY_NAME[chance.choice(LIKELY if self.maybe(0.75 if entry else 0.5) else names)]
        chosen = [a for a in domain.attributes if self.maybe(0.02 if entry else 0.06) and self._can(domain, a)]
        adjust = domain.adjusts and self.maybe(0.1)
        if domain.name == "death" and not self.exotic:
            adjust = False
        return m.Criterion(
            domain.name,
            concepts=chance.randrange(3) if domain.chosen and self.maybe(0.7) else None,
            first=domain.first
            and self.maybe(0.15 if domain.name not in ("observation_period", "payer_plan_period") else 0),
            attributes=tuple((each.name, self._asked(each)) for each in chosen),
            adjust=self._adjustment() if adjust else None,
            where=self.group(depth - 1) if depth > 0 and self.maybe(0.15) else None,
        )

    def _can(self, domain: Domain, attribute: Attribute) -> bool:
        if attribute.ignored or attribute.of == "care_site_region":
            return False
        return (domain.name, attribute.name) != ("visit_occurrence", "type")

    def _adjustment(self) -> m.Adjustment:
        chance = self.chance
        return m.Adjustment(
            chance.choice(m.SIDES), chance.randint(-3, 3), chance.choice(m.SIDES), chance.randint(-3, 9)
        )

    def _asked(self, attribute: Attribute) -> Any:
        chance = self.chance
        concept = lambda: m.Concept(chance.randrange(1, 4))  # noqa: E731
        if attribute.kind in ("number", "decimal", "date"):
            values = {
                "number": [0, 1, 3, 18, 28, 60],
                "decimal": [0, 1, Decimal("2.5"), Decimal("2.50004"), 7],
                "date": [self._day() for _ in range(3)],
            }[attribute.kind]
            op = chance.choice(m.OPERATORS)
            pair = sorted(chance.choice(values) for _ in range(2))
            return m.Range(op, *(pair if op.endswith("between") else pair[:1]))
        if attribute.kind == "text":
            return m.TextFilter(chance.choice(m.TEXT_OPERATORS), chance.choice(["a", "bc", "x%", "_"]))
        if attribute.kind == "concepts":
            return m.Listed(tuple(concept() for _ in range(2)), bool(attribute.exclude) and self.maybe(0.4))
        if attribute.kind == "selection":
            return m.Selection(chance.choice([None, 0, 1, 2]), self.maybe(0.4))
        if attribute.kind == "period":
            return m.Days(self._day(), chance.choice([None, self._day()]))
        return True if attribute.kind == "flag" else chance.randrange(3)

    def group(self, depth: int) -> m.Group:
        chance = self.chance
        kind = chance.choice((*m.GROUPS, "any"))
        return m.Group(
            kind,
            chance.randint(0, 2) if kind.startswith("at_") else None,
            tuple(self._correlated(depth) for _ in range(chance.choice([0, 1, 1, 2]))),
            tuple(self._demographic() for _ in range(chance.choice([0, 0, 0, 1]))),
            tuple(self.group(depth - 1) for _ in range(chance.choice([0, 0, 1]) if depth > 0 else 0)),
        )

    def _demographic(self) -> m.Demographic:
        return m.Demographic(tuple((each.name, self._asked(each)) for each in DEMOGRAPHIC if self.maybe(0.25)))

    def _correlated(self, depth: int) -> m.Correlated:
        chance = self.chance
        criterion = self.criterion(depth)
        distinct = None
        if self.maybe(0.2) and (self.exotic or criterion.where is None):
            columns = m.countable(criterion.of)
            distinct = chance.choice(columns if self.exotic else list(criterion.of.counts))
        return m.Correlated(
            criterion,
            m.Count(chance.choice(m.COUNTS), chance.choice([0, 1, 1, 2]), distinct),
            self._window(),
            self._window() if self.maybe(0.2) else None,
            same_visit=self.maybe(0.1),
            beyond_observation=self.maybe(0.3),
        )

    def _window(self) -> m.Window:
        chance = self.chance
        ends = [m.Endpoint(chance.choice([None, -60, -10, 0, 0, 10, 60]), side) for side in m.SIDES]
        if all(each.days is not None for each in ends):
            ends.sort(key=lambda each: each.days)
        sides = ("start", "start", "start", "end")
        return m.Window(ends[0], ends[1], chance.choice(sides), chance.choice(sides))
