"""The methods by name, and a driver that runs one in process (notebooks, tests, the pooled oracle).

A method is a module with NAME and three pure functions: initial_state(spec), local(frame, spec, state) at each site,
combine(aggregates, spec, state) -> (state, done, result) at the centre. States, aggregates and results are plain JSON.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import logistic, table


class Method(Protocol):
    """What a method module offers."""

    NAME: str
    initial_state: Callable[[dict], dict]
    local: Callable[[pa.Table, dict, dict], dict]
    combine: Callable[[list[dict], dict, dict], tuple[dict, bool, Any]]


METHODS: dict[str, Method] = {}


def register(method: Method) -> None:
    """Make a method known by its NAME; a name is never taken over by another method."""
    if METHODS.setdefault(method.NAME, method) is not method:
        raise ValueError(f"the method {method.NAME} is registered already")


for _module in (table, logistic):
    register(_module)  # type: ignore[arg-type]


def method(name: str) -> Method:
    """The method of this name; raises Problem for one that is not known."""
    if name not in METHODS:
        raise Problem(
            "no-method",
            N_("The method {name} is not known."),
            where="method",
            remedy=N_("Use one of: {known}."),
            name=name,
            known=", ".join(sorted(METHODS)),
        )
    return METHODS[name]


def run(name: str, frames: Sequence[pa.Table], spec: dict) -> dict:
    """The result of a method over these sites' frames; one frame gives the pooled result."""
    chosen = method(name)
    state, done, result = chosen.initial_state(spec), False, None
    while not done:
        state, done, result = chosen.combine([chosen.local(frame, spec, state) for frame in frames], spec, state)
    assert result is not None
    return result
