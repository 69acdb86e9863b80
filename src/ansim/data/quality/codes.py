"""Checks on concepts: known, of the right domain and class, standard, mapped; one grouping a concept field for all."""

from collections.abc import Iterable, Iterator

from ansim.data.cdm import quoted
from ansim.data.quality.asks import Ask, Known, Step, by_table, column, of
from ansim.data.quality.facts import Facts
from ansim.data.quality.table import Check

ATTRIBUTES = "k.concept_id, k.domain_id, k.concept_class_id, k.standard_concept, k.invalid_reason"
BY_CONCEPT = (
    "fkDomain", "fkClass", "isStandardValidConcept", "standardConceptRecordCompleteness",
    "sourceConceptRecordCompleteness",
)  # fmt: skip


def mapping(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Every check that one count of rows by concept answers; keeps that count in the facts for `people` and `units`."""
    chosen = [
        check
        for check in checks
        if check.type in BY_CONCEPT or (check.type == "isForeignKey" and check.argument == "concept.concept_id")
        or (check.type.startswith("plausible") and check.concepts)
    ]  # fmt: skip
    fields: dict[tuple[str, str], list[Check]] = {}
    for check in chosen:
        fields.setdefault((check.table, check.field), []).append(check)
    for (table, field), some in fields.items():
        facts.concepts[table, field] = {}
        answered = [check for check in some if not check.concepts]
        if facts.empty(table, field):
            yield from _read(facts, table, field, answered, [])
        else:
            yield _grouped(facts, table, field, answered)


def _grouped(facts: Facts, table: str, field: str, some: list[Check]) -> Ask:
    only = facts.only(table, field)
    if isinstance(only, int):
        counted = f"SELECT {only} AS id, {facts.filled[table, field]} AS n"
    else:
        counted = f"SELECT {column(field)} AS id, count(*) AS n FROM {quoted(table)} t GROUP BY {column(field)}"
    joined = f"SELECT g.id, g.n, {ATTRIBUTES} FROM ({counted}) AS g LEFT JOIN concept k ON k.concept_id = g.id"
    return Ask(table, f"{joined} WHERE g.id IS NOT NULL", lambda found: list(_read(facts, table, field, some, found)))


def _read(facts: Facts, table: str, field: str, some: list[Check], found: list[tuple]) -> Iterator[Known]:
    counts = facts.concepts[table, field]
    for id, n, *_ in found:
        counts[id] = n
    rows, filled = facts.rows[table], facts.filled[table, field]
    for check in some:
        if check.type == "isForeignKey":
            yield Known(check, sum(n for _, n, known, *_ in found if known is None), rows)
        elif check.type == "fkDomain":
            yield Known(
                check, sum(n for _, n, k, domain, *_ in found if k and domain not in (None, check.argument)), rows
            )
        elif check.type == "fkClass":
            yield Known(
                check, sum(n for _, n, k, _, kind, *_ in found if k and kind not in (None, check.argument)), rows
            )
        elif check.type == "isStandardValidConcept":
            bad = sum(n for _, n, k, _, _, standard, gone in found if k and (standard != "S" or gone is not None))
            yield Known(check, bad, filled)
        elif not check.argument or facts.empty(table, check.argument) or filled == rows:
            yield Known(check, counts.get(0, 0), filled)
        # otherwise `unmapped` adds the rows that have a source value and no concept


def unmapped(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Rows whose concept is 0, or empty while the source value is not."""
    for check in of(checks, "standardConceptRecordCompleteness", "sourceConceptRecordCompleteness"):
        table, field = check.table, check.field
        filled, rows = facts.filled[table, field], facts.rows[table]
        if not check.argument or facts.empty(table, check.argument) or filled == rows:
            continue
        zero = facts.concepts[table, field].get(0, 0)

        def read(found: list[tuple], check: Check = check, zero: int = zero, filled: int = filled) -> list[Known]:
            return [Known(check, zero + found[0][0], filled + found[0][0])]

        yield Ask(
            table,
            f"SELECT count(*) FROM {quoted(table)} t WHERE {column(field)} IS NULL AND "
            f"{column(check.argument)} IS NOT NULL",
            read,
        )


def source_codes(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Different source values, and those of them that stand with concept 0; an empty source value counts as one."""
    for check in of(checks, "sourceValueCompleteness"):
        table, source = check.table, column(check.field)
        zero = f"max(CASE WHEN {column(check.argument)} = 0 THEN 1 ELSE 0 END)"

        def read(found: list[tuple], check: Check = check) -> list[Known]:
            return [Known(check, found[0][1], found[0][0])]

        if facts.empty(table):
            yield Known(check, 0, 0)
            continue
        yield Ask(
            table,
            f"SELECT count(*), count(*) FILTER (WHERE zero = 1) FROM (SELECT {source} AS code, {zero} AS zero "
            f"FROM {quoted(table)} t GROUP BY {source}) AS codes",
            read,
        )


def sexes(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Codes of one sex only, and groups of such codes: one count by concept and sex a table for all of them."""
    for table, some in by_table(of(checks, "plausibleGender", "plausibleGenderUseDescendants")).items():
        field = some[0].field
        counts = facts.concepts[table, field]
        under = _descendants(facts, [check for check in some if check.type == "plausibleGenderUseDescendants"])
        members = {check: under.get(check, list(check.concepts)) for check in some}
        present = sorted({id for ids in members.values() for id in ids} & counts.keys())
        if not present:
            yield from (Known(check, 0, 0) for check in some)
            continue

        def read(found: list[tuple], members: dict = members, counts: dict = counts) -> Iterator[Known]:
            wrong: dict[tuple[int, int], int] = {}
            for id, sex, n in found:
                for expected in (8507, 8532):
                    if sex is not None and sex != expected:
                        wrong[id, expected] = wrong.get((id, expected), 0) + n
            for check, ids in members.items():
                expected = int(check.argument)
                yield Known(
                    check, sum(wrong.get((id, expected), 0) for id in ids), sum(counts.get(id, 0) for id in ids)
                )

        yield Ask(
            table,
            f"SELECT {column(field)}, p.gender_concept_id, count(*) FROM {quoted(table)} t JOIN person p "
            f"ON p.person_id = t.person_id WHERE {column(field)} IN ({', '.join(map(str, present))}) "
            f"GROUP BY {column(field)}, p.gender_concept_id",
            read,
        )


def _descendants(facts: Facts, some: list[Check]) -> dict[Check, list[int]]:
    """The concepts under each check's own, once for each path, as a join with concept_ancestor counts them."""
    wanted = sorted({concept for check in some for concept in check.concepts})
    if not wanted or facts.empty("concept_ancestor"):
        return {check: [] for check in some}
    pairs = facts.engine.rows(
        "SELECT ancestor_concept_id, descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id IN "
        f"({', '.join(map(str, wanted))})"
    )
    return {check: [below for above, below in pairs if above in check.concepts] for check in some}


def units(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Units that a measurement is not given in; -1 in the list means that it may have none; 0 is not counted here."""
    for table, some in by_table(of(checks, "plausibleUnitConceptIds")).items():
        field = some[0].field
        present = sorted({check.concepts[0] for check in some} & facts.concepts[table, field].keys())
        if not present:
            yield from (Known(check, 0, 0) for check in some)
            continue

        def read(found: list[tuple], some: list[Check] = some) -> Iterator[Known]:
            for check in some:
                right = {int(unit) for unit in check.argument.split("|")} | {0}
                mine = [(unit, n) for concept, unit, n in found if concept == check.concepts[0]]
                wrong = sum(n for unit, n in mine if unit is not None and unit not in right)
                yield Known(check, wrong, sum(n for unit, n in mine if unit != 0))

        yield Ask(
            table,
            f"SELECT {column(field)}, t.unit_concept_id, count(*) FROM {quoted(table)} t WHERE {column(field)} IN "
            f"({', '.join(map(str, present))}) GROUP BY {column(field)}, t.unit_concept_id",
            read,
        )
