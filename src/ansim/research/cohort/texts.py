"""Texts to plain values: YAML or JSON, read strictly.

YAML is read without aliases, anchors and repeated keys: an alias lets a short text unfold into gigabytes, and of two
equal keys a reader sees one and the program takes the other.
"""

import json
from decimal import Decimal
from typing import Any

import yaml

from ansim.errors import N_
from ansim.research.cohort.checks import wrong

MAX_CHARACTERS, MAX_DEPTH = 400_000, 12


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


def read(source: str | bytes, most: int = MAX_CHARACTERS, depth: int = MAX_DEPTH) -> Any:
    """The value in a YAML or JSON text of at most so many characters; JSON numbers with a point come as Decimal.

    depth: how deep YAML may be nested.
    """
    try:
        text = source.decode() if isinstance(source, bytes) else source
        if len(text) > most:
            raise wrong("too-long", "", N_("The text is too long for a query."), N_("Shorten the concept lists."))
        if text.lstrip().startswith("{"):
            try:
                return json.loads(text, object_pairs_hook=_pairs, parse_float=Decimal)
            except json.JSONDecodeError:
                pass  # perhaps YAML in braces
        _flat(text, depth)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise wrong(
            "not-yaml", place, N_("The text is neither YAML nor JSON."), N_("Mend the text at this place.")
        ) from error
    except (ValueError, RecursionError, UnicodeDecodeError, TypeError) as error:
        raise wrong(
            "not-yaml", "", N_("The text is neither YAML nor JSON."), N_("Check numbers and brackets.")
        ) from error


def _flat(text: str, most: int) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise wrong("alias", f"line {line}", N_("Anchors and aliases are not allowed."), N_("Write the part out."))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > most:
            raise wrong("too-deep", "", N_("The text is nested too deeply."), N_("Follow the form of a query."))


def _pairs(pairs: list[tuple[str, Any]]) -> dict:
    _no_repeats([key for key, _ in pairs])
    return dict(pairs)


def _no_repeats(keys: list[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise wrong("key-twice", str(key), N_("This key stands twice."), N_("Keep one of them."))
        seen.add(key)
