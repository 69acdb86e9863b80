"""Pooling aggregates: trees of numbers add up, unions join. What is not of one shape is refused as a whole."""

import math
from typing import Any

from ansim.errors import N_, Problem

MAX_UNION = 5000  # values of one union


def pool(aggregates: list[dict]) -> dict:
    """One aggregate for all: element-wise sums, or the sorted union of each list under "union".

    Floats are added exactly rounded (math.fsum), so that the order of sites changes nothing.
    """
    if not aggregates or not all(isinstance(each, dict) and each for each in aggregates):
        raise _shape()
    if any("union" in each for each in aggregates):
        return {"union": _united([each.get("union") for each in aggregates])}
    return _added(aggregates)


def shape(aggregate: Any) -> Any:
    """The aggregate's form without its numbers: "i" for a whole number, "f" for any other."""
    if isinstance(aggregate, dict):
        return {name: shape(part) for name, part in aggregate.items()}
    if isinstance(aggregate, list):
        return [shape(part) for part in aggregate]
    if type(aggregate) is int:
        return "i"
    if type(aggregate) is float and math.isfinite(aggregate):
        return "f"
    raise _shape()


def numbers(aggregate: Any) -> list[int | float]:
    """The numbers in the order of the tree: names sorted, lists as they stand."""
    if isinstance(aggregate, dict):
        return [number for name in sorted(aggregate) for number in numbers(aggregate[name])]
    if isinstance(aggregate, list):
        return [number for part in aggregate for number in numbers(part)]
    return [aggregate]


def filled(form: Any, values: list) -> Any:
    """The tree of this form with these numbers (of `numbers`); raises Problem when their count differs."""
    left = iter(values)
    try:
        made = _filled(form, left)
    except StopIteration:
        raise _shape() from None
    if next(left, None) is not None:
        raise _shape()
    return made


def _filled(form: Any, left: Any) -> Any:
    if isinstance(form, dict):
        made = {name: _filled(form[name], left) for name in sorted(form)}
        return {name: made[name] for name in form}
    if isinstance(form, list):
        return [_filled(part, left) for part in form]
    return next(left)


def _added(parts: list) -> Any:
    first = parts[0]
    if isinstance(first, dict):
        if not all(isinstance(part, dict) and part.keys() == first.keys() for part in parts):
            raise _shape()
        return {name: _added([part[name] for part in parts]) for name in first}
    if isinstance(first, list):
        if not all(isinstance(part, list) and len(part) == len(first) for part in parts):
            raise _shape()
        return [_added(list(each)) for each in zip(*parts, strict=True)]
    if not all(type(part) in (int, float) and math.isfinite(part) for part in parts):
        raise _shape()
    return sum(parts) if all(type(part) is int for part in parts) else math.fsum(parts)


def _united(unions: list) -> dict[str, list]:
    first = unions[0]
    if not all(isinstance(each, dict) and each.keys() == (first or {}).keys() for each in unions):
        raise _shape()
    joined = {}
    for name in first:
        if not all(isinstance(each[name], list) for each in unions):
            raise _shape()
        joined[name] = _distinct([value for each in unions for value in each[name]])
    return joined


def _distinct(values: list) -> list:
    found = {}
    for value in values:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str | int | None) for part in parts):
            raise _shape()
        found[tuple((type(part).__name__, part) for part in parts)] = value
    if len(found) > MAX_UNION:
        raise Problem("too-many-groups", N_("The sites have more than {most} groups together."), most=MAX_UNION)
    return [found[key] for key in sorted(found, key=lambda key: [(kind, str(part)) for kind, part in key])]


def _shape() -> Problem:
    return Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
