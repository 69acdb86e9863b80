"""Concept sets: made one over many definitions, and looked up in the vocabulary once.

What a set is (Circe): its included members that the table `concept` has; with `descendants` also their descendants that
are valid today; with `mapped` also the concepts that map to either; less the same of the excluded members.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from ansim.data.engine import Engine
from ansim.errors import N_, Problem
from ansim.research.cohort.definition import model as m

VOCABULARY = {
    "concept": ("concept_id", "invalid_reason"),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    "concept_relationship": ("concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"),
}
CHUNK = 5_000
Content = frozenset[tuple[int, bool, bool, bool]]


@dataclass
class Shared:
    """Definitions whose equal concept sets bear one number, so that equal criteria are equal objects.

    contents: what each number stands for. members: the concepts of each, once `look_up` has found them.
    """

    definitions: list[m.Definition] = field(default_factory=list)
    contents: dict[int, Content] = field(default_factory=dict)
    members: dict[int, frozenset[int]] = field(default_factory=dict)


def share(definitions: Sequence[m.Definition]) -> Shared:
    """The definitions with their concept sets numbered by content."""
    numbers: dict[Content, int] = {}
    shared = Shared()
    for definition in definitions:
        renumbered = {each.id: numbers.setdefault(content(each), len(numbers)) for each in definition.sets}
        shared.definitions.append(_Renumber(renumbered).definition(definition))
    shared.contents = {number: given for given, number in numbers.items()}
    return shared


def content(given: m.ConceptSet) -> Content:
    return frozenset((each.concept.id, each.excluded, each.descendants, each.mapped) for each in given.members)


def look_up(engine: Engine, shared: Shared) -> None:
    """Fill in the members of every set that is used. Raises Problem when a table of the vocabulary is missing."""
    used = {number for definition in shared.definitions for _, number in definition.references()}
    lines = [line for number in used for line in shared.contents[number]]
    _has_vocabulary(engine, lines)
    known = _known(engine, {line[0] for line in lines})
    below = _below(engine, {line[0] for line in lines if line[2]})
    mapped_to = _mapped(engine, lines, known, below)
    for number in used:
        included, excluded = (
            _reach([line for line in shared.contents[number] if line[1] is side], known, below, mapped_to)
            for side in (False, True)
        )
        shared.members[number] = frozenset(included - excluded)


def _reach(lines: list, known: set[int], below: dict, mapped_to: dict) -> set[int]:
    found: set[int] = set()
    for concept, _, descendants, mapped in lines:
        reached = ({concept} & known) | (below[concept] if descendants else set())
        found |= reached
        if mapped:
            found.update(*(mapped_to[each] for each in reached))
    return found


def _has_vocabulary(engine: Engine, lines: list) -> None:
    needed = ["concept"] if lines else []
    needed += ["concept_ancestor"] if any(line[2] for line in lines) else []
    needed += ["concept_relationship"] if any(line[3] for line in lines) else []
    columns = engine.columns() if needed else {}
    for table in needed:
        if not set(VOCABULARY[table]) <= set(columns.get(table, ())):
            raise Problem(
                "no-vocabulary",
                N_("The data have no vocabulary table {table}, which the concept sets need."),
                where=table,
                remedy=N_("Load the vocabulary tables of the OMOP CDM."),
                table=table,
            )


def _known(engine: Engine, concepts: set[int]) -> set[int]:
    query = exp.select("concept_id").from_("concept")
    return {row[0] for row in _in_chunks(engine, query, "concept_id", concepts)}


def _below(engine: Engine, ancestors: set[int]) -> dict[int, set[int]]:
    query = (
        exp.select("ca.ancestor_concept_id", "ca.descendant_concept_id")
        .from_("concept_ancestor AS ca")
        .join("concept AS c", on="c.concept_id = ca.descendant_concept_id")
        .where("c.invalid_reason IS NULL")
    )
    found: dict[int, set[int]] = defaultdict(set)
    for ancestor, descendant in _in_chunks(engine, query, "ca.ancestor_concept_id", ancestors):
        found[ancestor].add(descendant)
    return found


def _mapped(engine: Engine, lines: list, known: set[int], below: dict) -> dict[int, set[int]]:
    targets = {line[0] for line in lines if line[3]} & known
    for line in lines:
        if line[2] and line[3]:
            targets |= below[line[0]]
    query = (
        exp.select("concept_id_2", "concept_id_1")
        .from_("concept_relationship")
        .where("relationship_id = 'Maps to'", "invalid_reason IS NULL")
    )
    found: dict[int, set[int]] = defaultdict(set)
    for target, source in _in_chunks(engine, query, "concept_id_2", targets):
        found[target].add(source)
    return found


def _in_chunks(engine: Engine, query: exp.Select, column: str, values: set[int]) -> Iterable[tuple]:
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        yield from engine.rows(
            query.where(exp.column(*reversed(column.split("."))).isin(*ordered[start : start + CHUNK]))
        )


class _Renumber:
    """A definition with other numbers for its concept sets."""

    def __init__(self, numbers: dict[int, int]):
        self.numbers = numbers

    def definition(self, given: m.Definition) -> m.Definition:
        end = given.end
        return replace(
            given,
            entry=replace(given.entry, criteria=tuple(map(self.criterion, given.entry.criteria))),
            sets=tuple(m.ConceptSet(number, "", ()) for number in sorted(set(self.numbers.values()))),
            where=given.where and self.group(given.where),
            rules=tuple(replace(rule, where=self.group(rule.where)) for rule in given.rules),
            end=replace(end, concepts=self.numbers[end.concepts]) if isinstance(end, m.DrugEnd) else end,
            censor=tuple(map(self.criterion, given.censor)),
        )

    def criterion(self, given: m.Criterion) -> m.Criterion:
        return replace(
            given,
            concepts=None if given.concepts is None else self.numbers[given.concepts],
            attributes=self.attributes(given.attributes),
            where=given.where and self.group(given.where),
        )

    def attributes(self, given: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
        return tuple((name, self.value(value)) for name, value in given)

    def value(self, value: Any) -> Any:
        if isinstance(value, m.Selection) and value.set is not None:
            return replace(value, set=self.numbers[value.set])
        if isinstance(value, m.Listed):  # what concepts are called makes no difference here
            return replace(value, concepts=tuple(m.Concept(each.id) for each in value.concepts))
        return self.numbers[value] if type(value) is int else value

    def group(self, given: m.Group) -> m.Group:
        return replace(
            given,
            criteria=tuple(replace(each, criterion=self.criterion(each.criterion)) for each in given.criteria),
            people=tuple(m.Demographic(self.attributes(each.attributes)) for each in given.people),
            groups=tuple(map(self.group, given.groups)),
        )
