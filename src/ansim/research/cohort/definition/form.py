"""Our own form of a definition, `cohort/1`: YAML or JSON that a person reads and writes (docs/research/cohorts.md).

The same model as Circe's JSON. Concept sets are named; a window that is left out is open to the observation period.
Documents hold no floats: a number with a fraction is a text ("11.5"), and the reader also takes it unquoted.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from ansim import documents
from ansim.errors import N_
from ansim.research.cohort import texts
from ansim.research.cohort.checks import day, each, known, mapping, part, within, wrong
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.circe import _number, _text, _truth, _whole
from ansim.research.cohort.definition.domains import BY_NAME, DEMOGRAPHIC, Attribute

KIND = "cohort/1"
MAX_CHARACTERS, MAX_NESTING = 20_000_000, 100
BODY = (
    "title", "sets", "entry", "where", "qualified", "rules", "limit", "end", "censor", "join_gap", "within", "versions",
)  # fmt: skip
SIDES: dict[str, m.Side] = {"observation_start": "start", "observation_end": "end"}
COUNTED = ("exactly", "at_most", "at_least")


def read(source: str | bytes | dict) -> m.Definition:
    """The definition in YAML or JSON text, or in a document already read. Raises Problem naming the path."""
    document = mapping(texts.read(source, MAX_CHARACTERS, MAX_NESTING) if isinstance(source, str | bytes) else source)
    documents.kind(document, KIND)
    return body({key: value for key, value in document.items() if key != "ansim"})


def body(value: Any) -> m.Definition:
    """The definition in the document without its `ansim` line, as query/2 holds it."""
    return _Reader().definition(value)


class _Reader:
    names: dict[str, int]

    def definition(self, value: Any) -> m.Definition:
        given = known(mapping(value), BODY)
        sets = part(given, "sets", lambda one: tuple(self.concept_set(i, s) for i, s in _listed(one)), ())
        names = [one.name for one in sets]
        self.names = {one.name: one.id for one in sets if names.count(one.name) == 1}
        self.ids = {one.id for one in sets}
        return m.Definition(
            entry=part(given, "entry", self.entry),
            sets=sets,
            where=part(given, "where", self.group, None),
            qualified=part(given, "qualified", _text, "all"),
            rules=part(given, "rules", lambda one: each(one, self.rule), ()),
            limit=part(given, "limit", _text, "all"),
            end=part(given, "end", self.end, None),
            censor=part(given, "censor", lambda one: each(one, self.criterion), ()),
            pad=part(given, "join_gap", _whole, 0),
            within=part(given, "within", days, m.Days()),
            title=part(given, "title", _text, ""),
            versions=part(given, "versions", _text, ""),
        )

    def concept_set(self, place: int, value: Any) -> m.ConceptSet:
        with within(f"[{place}]"):
            given = known(mapping(value), ("name", "id", "concepts"))
            members = part(given, "concepts", lambda one: each(one, _member))
            return m.ConceptSet(part(given, "id", _whole, place), part(given, "name", _text, ""), members)

    def set(self, value: Any) -> int:
        """A concept set by its name, or by its number."""
        number = self.names.get(value) if isinstance(value, str) else _whole(value)
        if number not in self.ids:
            raise m.no_such_set("", value)
        assert number is not None
        return number

    def entry(self, value: Any) -> m.Entry:
        given = known(mapping(value), ("events", "observed", "limit"))
        observed = part(given, "observed", lambda one: known(mapping(one), ("before", "after")), {})
        return m.Entry(
            criteria=part(given, "events", lambda one: each(one, self.criterion)),
            days_before=part(observed, "before", _whole, 0),
            days_after=part(observed, "after", _whole, 0),
            limit=part(given, "limit", _text, "all"),
        )

    def rule(self, value: Any) -> m.Rule:
        given = known(mapping(value), ("name", "description", "where"))
        name, description = (part(given, key, _text, "") for key in ("name", "description"))
        return m.Rule(name, part(given, "where", self.group), description)

    def group(self, value: Any) -> m.Group:
        given = mapping(value)
        if len(given) == 1 and next(iter(given)) in ("all", "any"):
            kind = next(iter(given))
            with within(kind):
                return self._group(kind, None, given[kind])
        known(given, ("at_least", "at_most", "of"))
        kinds = [key for key in ("at_least", "at_most") if key in given]
        if len(kinds) != 1 or "of" not in given:
            raise wrong("group", "", N_("A group says all, any, or at_least or at_most so many of a list."),
                        N_("Write all: […] or at_least: 2 with of: […]."))  # fmt: skip
        number = part(given, kinds[0], _whole)
        with within("of"):
            return self._group(kinds[0], number, given["of"])

    def _group(self, kind: str, number: int | None, items: Any) -> m.Group:
        found = each(items, self.item)
        return m.Group(
            kind,
            number,
            tuple(one for one in found if isinstance(one, m.Correlated)),
            tuple(one for one in found if isinstance(one, m.Demographic)),
            tuple(one for one in found if isinstance(one, m.Group)),
        )

    def item(self, value: Any) -> m.Correlated | m.Demographic | m.Group:
        given = mapping(value)
        if "person" in given:
            known(given, ("person",))
            attributes = part(given, "person", lambda one: self.attributes(DEMOGRAPHIC, mapping(one)))
            return m.Demographic(attributes)
        if "all" in given or "any" in given or isinstance(given.get("of"), list):
            return self.group(given)
        return self.correlated(given)

    def correlated(self, given: dict) -> m.Correlated:
        keys = (*COUNTED, "of", "distinct", "window", "end_window", "same_visit", "beyond_observation")
        known(given, keys)
        counts = [key for key in COUNTED if key in given]
        if len(counts) > 1:
            raise wrong("count", counts[1], N_("One count is enough."), N_("Keep exactly, at_most or at_least."))
        number = part(given, counts[0], _whole) if counts else 1
        distinct = part(given, "distinct", lambda one: _text(one).upper(), None)
        return m.Correlated(
            criterion=part(given, "of", self.criterion),
            count=m.Count(counts[0] if counts else "at_least", number, distinct),
            window=part(given, "window", _window, m.Window()),
            end_window=part(given, "end_window", _window, None),
            same_visit=part(given, "same_visit", _truth, False),
            beyond_observation=part(given, "beyond_observation", _truth, False),
        )

    def criterion(self, value: Any) -> m.Criterion:
        wrapper = mapping(value)
        name = next(iter(wrapper), "")
        if len(wrapper) != 1 or name not in BY_NAME:
            raise wrong(
                "unknown-criterion",
                str(name),
                N_("An event is one of its kinds with its attributes."),
                N_("Use one of: {allowed}."),
                allowed=", ".join(BY_NAME),
            )
        with within(name):
            domain, given = BY_NAME[name], mapping({} if wrapper[name] is None else wrapper[name])
            names = tuple(attribute.name for attribute in domain.attributes)
            known(given, ("concepts", "first", "adjust", "where", *names))
            return m.Criterion(
                domain=name,
                concepts=part(given, "concepts", self.set, None),
                first=part(given, "first", _truth, False),
                attributes=self.attributes(domain.attributes, {key: given[key] for key in given if key in names}),
                adjust=part(given, "adjust", _adjust, None),
                where=part(given, "where", self.group, None),
            )

    def attributes(self, table: tuple[Attribute, ...], given: dict) -> tuple[tuple[str, Any], ...]:
        known(given, tuple(attribute.name for attribute in table))
        readers: dict[str, Callable[[Any], Any]] = {
            "number": lambda one: _range(one, _whole),
            "decimal": lambda one: _range(one, _number),
            "date": lambda one: _range(one, day),
            "text": _text_filter,
            "concepts": _concepts,
            "selection": self.selection,
            "set": self.set,
            "flag": lambda one: _truth(one) or None,
            "period": days,
        }
        found = ((one.name, part(given, one.name, readers[one.kind], None)) for one in table)
        return tuple((name, value) for name, value in found if value is not None)

    def selection(self, value: Any) -> m.Selection:
        given = known(mapping(value), ("in", "not_in", "present"))
        if len(given) != 1:
            raise wrong("selection", "", N_("A choice by concept set says in, not_in or present."), N_("Say one."))
        if "present" in given:
            return m.Selection(None, exclude=not part(given, "present", _truth))
        key = next(iter(given))
        return m.Selection(part(given, key, self.set), exclude=key == "not_in")

    def end(self, value: Any) -> m.FixedEnd | m.DrugEnd:
        given = mapping(value)
        if "drug_run" in given:
            known(given, ("drug_run", "gap", "extra", "supply"))
            gap, extra = (part(given, key, _whole, 0) for key in ("gap", "extra"))
            return m.DrugEnd(part(given, "drug_run", self.set), gap, extra, part(given, "supply", _whole, None))
        known(given, ("after", "days"))
        return m.FixedEnd(part(given, "after", _side), part(given, "days", _whole, 0))


def _listed(value: Any) -> list[tuple[int, Any]]:
    return list(enumerate(each(value, lambda one: one)))


def _member(value: Any) -> m.Member:
    flags = ("excluded", "descendants", "mapped")
    given = known(mapping({"id": value} if type(value) is int else value), ("id", *flags, *m.DETAILS))
    return m.Member(_of_details(given), *(part(given, flag, _truth, False) for flag in flags))


def _concept(value: Any) -> m.Concept:
    return _of_details(known(mapping({"id": value} if type(value) is int else value), ("id", *m.DETAILS)))


def _of_details(given: dict) -> m.Concept:
    details = tuple((key, given[key]) for key in m.DETAILS if given.get(key) is not None)
    return m.Concept(part(given, "id", _whole), details)


def _concepts(value: Any) -> m.Listed | None:
    if isinstance(value, dict):
        known(value, ("not_in",))
        return m.Listed(part(value, "not_in", lambda one: each(one, _concept)), exclude=True)
    concepts = each(value, _concept)
    return m.Listed(concepts) if concepts else None


def _range(value: Any, read_value: Callable[[Any], Any]) -> m.Range:
    given = known(mapping(value), m.OPERATORS)
    if len(given) != 1:
        raise wrong("range", "", N_("A comparison is one sign and its value."), N_("Write it as gte: 18."))
    op = next(iter(given))
    if not op.endswith("between"):
        return m.Range(op, part(given, op, read_value))
    ends = part(given, op, lambda one: each(one, read_value))
    if len(ends) != 2:
        raise wrong("range-ends", op, N_("A range between needs two values, every other comparison one."),
                    N_("Write between: [low, high], or one value."))  # fmt: skip
    return m.Range(op, *ends)


def _text_filter(value: Any) -> m.TextFilter:
    given = known(mapping(value), m.TEXT_OPERATORS)
    if len(given) != 1:
        raise wrong("text-filter", "", N_("A comparison of texts is one word and its text."), N_("Keep one."))
    op = next(iter(given))
    return m.TextFilter(op, part(given, op, _text))


def _side(value: Any) -> m.Side:
    if value not in m.SIDES:
        raise wrong("not-one-of", "", N_("The value is not one of those allowed here."),
                    N_("Use one of: {allowed}."), allowed="start, end")  # fmt: skip
    return value


def _window(value: Any) -> m.Window:
    given = known(mapping(value), ("from", "to", "index", "event"))
    start = part(given, "from", _endpoint, m.Endpoint(None, "start"))
    end = part(given, "to", _endpoint, m.Endpoint(None, "end"))
    index, event = (part(given, key, _side, "start") for key in ("index", "event"))
    return m.Window(start, end, index, event)


def _endpoint(value: Any) -> m.Endpoint:
    if isinstance(value, str) and value in SIDES:
        return m.Endpoint(None, SIDES[value])
    return m.Endpoint(_whole(value))


def _adjust(value: Any) -> m.Adjustment:
    given = known(mapping(value), ("start_with", "start_days", "end_with", "end_days"))
    return m.Adjustment(
        part(given, "start_with", _side, "start"),
        part(given, "start_days", _whole, 0),
        part(given, "end_with", _side, "end"),
        part(given, "end_days", _whole, 0),
    )


def days(value: Any) -> m.Days:
    given = known(mapping(value), ("from", "to"))
    return m.Days(part(given, "from", day, None), part(given, "to", day, None))


def document(definition: m.Definition) -> dict:
    """The canonical document: what is as by default is left out; no floats."""
    return {"ansim": KIND} | write(definition)


def write(definition: m.Definition) -> dict:
    """The document without its `ansim` line."""
    return _Writer(definition).written()


class _Writer:
    def __init__(self, definition: m.Definition):
        self.definition = definition
        names = [one.name for one in definition.sets]
        self.names = {
            one.id: one.name if one.name and names.count(one.name) == 1 else one.id for one in definition.sets
        }

    def written(self) -> dict:
        given = self.definition
        found: dict[str, Any] = {"title": given.title} if given.title else {}
        found["sets"] = [self._set(place, one) for place, one in enumerate(given.sets)]
        found["entry"] = self._entry(given.entry)
        found |= {} if given.where is None else {"where": self.group(given.where)}
        found |= {} if given.qualified == "all" else {"qualified": given.qualified}
        if given.rules:
            found["rules"] = [self._rule(rule) for rule in given.rules]
        found |= {} if given.limit == "all" else {"limit": given.limit}
        found |= {} if given.end is None else {"end": self._end(given.end)}
        if given.censor:
            found["censor"] = [self.criterion(one) for one in given.censor]
        found |= {"join_gap": given.pad} if given.pad else {}
        found |= {} if given.within == m.Days() else {"within": _days_written(given.within)}
        return found | ({"versions": given.versions} if given.versions else {})

    def _set(self, place: int, given: m.ConceptSet) -> dict:
        found: dict[str, Any] = {"name": given.name} if given.name else {}
        found |= {} if given.id == place else {"id": given.id}
        flags = ("excluded", "descendants", "mapped")
        concepts = []
        for member in given.members:
            marked = {flag: True for flag in flags if getattr(member, flag)}
            concepts.append({"id": member.concept.id} | marked | _details(member.concept))
        return found | {"concepts": concepts}

    def _entry(self, entry: m.Entry) -> dict:
        found: dict[str, Any] = {"events": [self.criterion(one) for one in entry.criteria]}
        observed = {key: value for key, value in (("before", entry.days_before), ("after", entry.days_after)) if value}
        found |= {"observed": observed} if observed else {}
        return found | ({} if entry.limit == "all" else {"limit": entry.limit})

    def _rule(self, rule: m.Rule) -> dict:
        found = {"name": rule.name, "where": self.group(rule.where)}
        return found | ({"description": rule.description} if rule.description else {})

    def group(self, group: m.Group) -> dict:
        items = [self._correlated(one) for one in group.criteria]
        items += [{"person": self.attributes(DEMOGRAPHIC, one.attributes)} for one in group.people]
        items += [self.group(one) for one in group.groups]
        return {group.kind: items} if group.n is None else {group.kind: group.n, "of": items}

    def _correlated(self, given: m.Correlated) -> dict:
        found: dict[str, Any] = {given.count.op: given.count.n, "of": self.criterion(given.criterion)}
        found |= {} if given.count.distinct is None else {"distinct": given.count.distinct}
        found |= {} if given.window == m.Window() else {"window": _window_written(given.window)}
        found |= {} if given.end_window is None else {"end_window": _window_written(given.end_window)}
        return found | {key: True for key in ("same_visit", "beyond_observation") if getattr(given, key)}

    def criterion(self, given: m.Criterion) -> dict:
        found: dict[str, Any] = {} if given.concepts is None else {"concepts": self.names[given.concepts]}
        found |= {"first": True} if given.first else {}
        found |= self.attributes(given.of.attributes, given.attributes)
        if given.adjust is not None:
            keys = ("start_with", "start_days", "end_with", "end_days")
            found["adjust"] = {key: getattr(given.adjust, key) for key in keys}
        return {given.domain: found | ({} if given.where is None else {"where": self.group(given.where)})}

    def attributes(self, table: tuple[Attribute, ...], given: tuple[tuple[str, Any], ...]) -> dict:
        kinds = {one.name: one.kind for one in table}
        return {name: self.names[value] if kinds[name] == "set" else self.value(value) for name, value in given}

    def value(self, value: Any) -> Any:
        if isinstance(value, m.Range):
            ends = [_plain(one) for one in (value.value, value.extent) if one is not None]
            return {value.op: ends if value.op.endswith("between") else ends[0]}
        if isinstance(value, m.TextFilter):
            return {value.op: value.text}
        if isinstance(value, m.Listed):
            concepts = [{"id": one.id} | _details(one) if one.details else one.id for one in value.concepts]
            return {"not_in": concepts} if value.exclude else concepts
        if isinstance(value, m.Selection):
            if value.set is None:
                return {"present": not value.exclude}
            return {"not_in" if value.exclude else "in": self.names[value.set]}
        return _days_written(value) if isinstance(value, m.Days) else value

    def _end(self, end: m.FixedEnd | m.DrugEnd) -> dict:
        if isinstance(end, m.FixedEnd):
            return {"after": end.side, "days": end.days}
        found: dict[str, Any] = {"drug_run": self.names[end.concepts], "gap": end.gap}
        found |= {"extra": end.extra} if end.extra else {}
        return found | ({} if end.supply is None else {"supply": end.supply})


def _details(concept: m.Concept) -> dict[str, Any]:
    return dict(concept.details)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _window_written(window: m.Window) -> dict:
    found: dict[str, Any] = {}
    for key, endpoint, side in (("from", window.start, "start"), ("to", window.end, "end")):
        if endpoint.days is not None:
            found[key] = endpoint.days
        elif endpoint.side != side:
            found[key] = f"observation_{endpoint.side}"
    return found | {key: "end" for key in ("index", "event") if getattr(window, key) == "end"}


def _days_written(given: m.Days) -> dict:
    return {key: one.isoformat() for key, one in (("from", given.first), ("to", given.last)) if one is not None}
