"""The part of FHIRPath that mappings use, compiled to one typed read of the JSON and plain SQL over it.

What SQL-on-FHIR ViewDefinitions call the shareable subset, less what loading does not need: fields, `first()`, `[n]`,
`where(field = 'text')`, `ofType(Type)`, `extension('url')`, `getResourceKey()`, `getReferenceKey()`, and `%resource`
inside a rule that takes the elements of a list one by one (https://build.fhir.org/ig/FHIR/sql-on-fhir-v2/).

FHIR's own definitions say which elements repeat; here the path says so itself: an element followed by `first()`,
`[n]` or `where()` is a list, any other is not. Where the JSON is otherwise, the value is null.
"""

import re
from dataclasses import dataclass, field

from ansim.data.cdm import literal, quoted
from ansim.errors import N_, Problem

_TOKEN = re.compile(
    r"\s*(?:(?P<name>%resource|[A-Za-z_][A-Za-z0-9_]*)|(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>\d+)|(?P<sign>[.()\[\]=]))"
)


@dataclass
class Shape:
    """The elements that are read of one resource type: a tree, each node a list or not, leaves as text."""

    children: dict[str, "Shape"] = field(default_factory=dict)
    repeats: bool | None = None

    def child(self, name: str) -> "Shape":
        return self.children.setdefault(name, Shape())

    def mark(self, repeats: bool, path: str) -> "Shape":
        if self.repeats is not None and self.repeats != repeats:
            raise Problem(
                "bad-path",
                N_("{path}: another path reads this element as one value where this one reads a list, or the reverse."),
                where=path,
                remedy=N_("Write first() after each element that FHIR lets repeat."),
                path=path,
            )
        self.repeats = repeats
        return self

    def as_json(self) -> str:
        """The shape as DuckDB's json_transform wants it."""
        inner = (
            "{" + ",".join(f'"{name}":{node.as_json()}' for name, node in sorted(self.children.items())) + "}"
            if self.children
            else '"VARCHAR"'
        )
        return f"[{inner}]" if self.repeats else inner


@dataclass
class _Step:
    name: str
    argument: tuple[str, str] | str | None = None  # (field, text) of where(); a type, an url or an index


def steps(path: str) -> list[_Step]:
    """The path as steps: fields, and functions named with their parentheses. Raises Problem when it is no such path."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(path.rstrip()):
        found = _TOKEN.match(path, at)
        if not found:
            raise _bad(path)
        at = found.end()
        tokens.append((found.lastgroup or "", found.group(found.lastgroup or 0)))
    signs = [value if kind == "sign" else kind for kind, value in tokens] + ["end"]
    result: list[_Step] = []
    i = 0
    while signs[i] != "end":
        if result and signs[i] == ".":
            i += 1
        elif signs[i] == "[" and result and signs[i + 1 : i + 3] == ["number", "]"]:
            result.append(_Step("[]", tokens[i + 1][1]))
            i += 3
            continue
        elif result:
            raise _bad(path)
        if signs[i] != "name":
            raise _bad(path)
        name = tokens[i][1]
        i += 1
        if signs[i] != "(":
            result.append(_Step(name))
            continue
        close = signs.index(")", i) if ")" in signs[i:] else -1
        inside = tokens[i + 1 : close]
        kinds = [value if kind == "sign" else kind for kind, value in inside]
        if close < 0 or kinds not in ([], ["name"], ["text"], ["name", "=", "text"]):
            raise _bad(path)
        argument: tuple[str, str] | str | None = None
        if len(kinds) == 3:
            argument = (inside[0][1], inside[2][1][1:-1])
        elif kinds:
            argument = inside[0][1].strip("'")
        result.append(_Step(name + "()", argument))
        i = close + 1
    if not result:
        raise _bad(path)
    return result


def value(path: str, shape: Shape, root: str = "r", resource: tuple[Shape, str] | None = None) -> str:
    """SQL for the text that the path names below `root`, noting in `shape` what has to be read for it.

    resource: shape and SQL of the whole resource, for `%resource` in rules that go through a list.
    """
    return node_of(path, shape, root, resource)[1]


def elements(path: str, shape: Shape, root: str = "r") -> tuple[Shape, str]:
    """The list that the path names: its shape and its SQL."""
    node, sql = node_of(path, shape, root, None, several=True)
    node.mark(True, path)
    return node, sql


def node_of(
    path: str, shape: Shape, root: str, resource: tuple[Shape, str] | None, *, several: bool = False
) -> tuple[Shape, str]:
    """The element at the path and its SQL. several: the path may end at a list."""
    node, sql, chosen = shape, root, True  # chosen: `sql` is one element, not a list
    todo = steps(path)
    if todo[0].name == "%resource":
        node, sql = resource or (shape, root)
        todo = todo[1:]
    for place, step in enumerate(todo):
        after = todo[place + 1].name if place + 1 < len(todo) else ""
        if step.name in {"first()", "[]"}:
            if chosen:
                raise _bad(path)
            index = 1 if step.name == "first()" else int(str(step.argument)) + 1
            sql, chosen = f"{sql}[{index}]", True
        elif step.name == "where()" and isinstance(step.argument, tuple) and not chosen:
            name, wanted = step.argument
            node.child(name).mark(False, path)
            sql = f"list_filter({sql}, lambda e: e.{quoted(name)} = {literal(wanted)})"
        elif step.name == "getReferenceKey()":
            node = node.child("reference").mark(False, path)
            sql = reference(f"{sql}.reference")
        elif step.name == "getResourceKey()":
            node, sql = node.child("id").mark(False, path), f"{sql}.id"
        elif step.name == "extension()" and isinstance(step.argument, str):
            node = node.child("extension").mark(True, path)
            node.child("url").mark(False, path)
            sql = f"list_filter({sql}.extension, lambda e: e.url = {literal(step.argument)})"
            chosen = False
        elif step.name.endswith("()"):
            raise _bad(path)
        else:
            if not chosen:
                raise _bad(path)
            name = step.name
            if after == "ofType()":
                name += str(todo[place + 1].argument)[:1].upper() + str(todo[place + 1].argument)[1:]
                todo[place + 1].name, after = "", todo[place + 2].name if place + 2 < len(todo) else ""
            elif not name:
                continue
            node, sql = node.child(name), f"{sql}.{quoted(name)}"
            chosen = after not in {"first()", "[]", "where()"}
            if after or not chosen:
                node.mark(not chosen, path)
    if not chosen and not several:
        raise _bad(path)
    return node, sql


def reference(sql: str) -> str:
    """The key in a reference: `Patient/1`, `https://…/Patient/1`, `urn:uuid:1`, `Practitioner?identifier=system|1`."""
    return f"regexp_extract({sql}, '([^/|:]+)$', 1)"


def _bad(path: str) -> Problem:
    return Problem(
        "bad-path",
        N_("{path} is no path that mappings can use."),
        where=path,
        remedy=N_("See the list of path functions in docs/data/loading.md."),
        path=path,
    )
