"""Reading `query/1` from text: what the parser lets in, and where an error stands.

YAML is read without aliases, anchors and repeated keys: an alias lets a short text unfold into gigabytes, and of two
equal keys a reader sees one and the program takes the other.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import yaml

from ansim import documents
from ansim.errors import N_, Problem
from ansim.research.cohort import query as q

MAX_CHARACTERS, MAX_DEPTH = 400_000, 12
T = TypeVar("T")


def query(source: str | bytes | dict) -> q.Query:
    """The query in a YAML or JSON text or in a document already read; see `query.parse`."""
    document = _mapping(_read(source) if isinstance(source, str | bytes) else source)
    documents.kind(document, q.KIND)
    _known(document, ("ansim", "title", "cohort", "variables", "period"))
    title = _part(document, "title", lambda value: _known(_mapping(value), ("ko", "en")))
    return q.Query(
        korean=title.get("ko"),
        english=title.get("en"),
        cohort=_part(document, "cohort", _cohort),
        variables=_part(document, "variables", lambda value: _each(value, _variable), ()),
        period=_part(document, "period", _period),
    )


def _cohort(value: Any) -> q.Cohort:
    document = _known(_mapping(value), ("entry", "age", "sex", "require", "exclude"))
    return q.Cohort(
        entry=_part(document, "entry", _entry),
        age=_part(document, "age", _age, q.Age()),
        sex=_part(document, "sex", lambda value: _each(value, lambda item: item), None),
        require=_part(document, "require", lambda value: _each(value, _criterion), ()),
        exclude=_part(document, "exclude", lambda value: _each(value, _criterion), ()),
    )


def _events(document: dict) -> dict:
    if "event" not in document:
        raise q._missing("event")
    if "concepts" not in document:  # an empty list says "every event"; leaving it out is more likely a slip
        raise q._missing("concepts")
    return {
        "event": document["event"],
        "concepts": _part(document, "concepts", lambda value: _each(value, _plain_number)),
        "descendants": document.get("descendants", False),
    }


def _plain_number(value: Any) -> Any:
    q._whole(value, "", 0, q.MAX_CONCEPT)  # before sorting, which needs numbers
    return value


def _entry(value: Any) -> q.Entry:
    document = _known(_mapping(value), ("event", "concepts", "descendants", "which"))
    return q.Entry(**_events(document), which=document.get("which", "first"))


def _criterion(value: Any) -> q.Criterion:
    document = _known(_mapping(value), ("event", "concepts", "descendants", "window", "at_least"))
    window = _part(document, "window", _window, q.Window())
    return q.Criterion(**_events(document), window=window, at_least=document.get("at_least", 1))


def _window(value: Any) -> q.Window:
    document = _known(_mapping(value), ("from_days", "to_days"))
    return q.Window(document.get("from_days"), document.get("to_days"))


def _age(value: Any) -> q.Age:
    document = _known(_mapping(value), ("min", "max"))
    return q.Age(document.get("min"), document.get("max"))


def _period(value: Any) -> q.Period:
    document = _known(_mapping(value), ("from", "to"))
    return q.Period(_part(document, "from", q.day), _part(document, "to", q.day))


def _variable(value: Any) -> q.Variable:
    document = _mapping(value)
    q._one_of(document.get("kind"), "kind", q.PERSON_KINDS + q.EVENT_KINDS)
    _known(document, q._allowed(document["kind"]))
    of_events = document["kind"] in q.EVENT_KINDS
    return q.Variable(
        name=document.get("name", ""),
        kind=document["kind"],
        width=document.get("width"),
        events=q.Events(**_events(document)) if of_events else None,
        window=_part(document, "window", _window, q.Window()) if of_events else None,
        pick=document.get("pick"),
    )


@contextmanager
def _within(step: str) -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        joint = "" if not problem.where or problem.where.startswith("[") else "."
        problem.where = f"{step}{joint}{problem.where}"
        raise


_REQUIRED: Any = object()


def _part(document: dict, key: str, read: Callable[[Any], Any], default: Any = _REQUIRED) -> Any:
    value = document.get(key)
    if value is None:
        if default is _REQUIRED:
            raise q._missing(key)
        return default
    with _within(key):
        return read(value)


def _each(value: Any, read: Callable[[Any], T]) -> tuple[T, ...]:
    if not isinstance(value, list | tuple):
        raise q._wrong("not-a-list", "", N_("A list is needed here."), N_("Write [one, two] or one item a line."))
    items = []
    for index, item in enumerate(value):
        with _within(f"[{index}]"):
            items.append(read(item))
    return tuple(items)


def _mapping(value: Any) -> dict:
    if not isinstance(value, dict):
        raise q._wrong("not-a-mapping", "", N_("Keys with values are needed here."), N_("Write key: value."))
    return value


def _known(document: dict, allowed: tuple[str, ...]) -> dict:
    for key in document:
        if key not in allowed:
            raise q._unknown(str(key), allowed)
    return document


class _Loader(yaml.SafeLoader):
    """YAML without dates of its own (we read them ourselves) and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        _no_repeats(keys)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read(source: str | bytes) -> Any:
    try:
        text = source.decode() if isinstance(source, bytes) else source
        if len(text) > MAX_CHARACTERS:
            raise q._wrong("too-long", "", N_("The text is too long for a query."), N_("Shorten the concept lists."))
        if text.lstrip().startswith("{"):
            try:
                return json.loads(text, object_pairs_hook=_pairs)
            except json.JSONDecodeError:
                pass  # perhaps YAML in braces
        _flat(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise q._wrong(
            "not-yaml", place, N_("The text is neither YAML nor JSON."), N_("Mend the text at this place.")
        ) from error
    except (ValueError, RecursionError, UnicodeDecodeError, TypeError) as error:
        raise q._wrong(
            "not-yaml", "", N_("The text is neither YAML nor JSON."), N_("Check numbers and brackets.")
        ) from error


def _flat(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise q._wrong(
                "alias", f"line {line}", N_("Anchors and aliases are not allowed."), N_("Write the part out.")
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise q._wrong("too-deep", "", N_("The text is nested too deeply."), N_("Follow the form of a query."))


def _pairs(pairs: list[tuple[str, Any]]) -> dict:
    _no_repeats([key for key, _ in pairs])
    return dict(pairs)


def _no_repeats(keys: list[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise q._wrong("key-twice", str(key), N_("This key stands twice."), N_("Keep one of them."))
        seen.add(key)
