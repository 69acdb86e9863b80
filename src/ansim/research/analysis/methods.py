"""The methods by name, and a driver that runs one in process (notebooks, the command line, the pooled oracle)."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import (
    characterise,
    clusters,
    cox,
    crosstab,
    distribution,
    glm,
    moments,
    pathways,
    propensity,
    specification,
    sums,
    survival,
    table,
)
from ansim.research.analysis.method import Method

FAMILIES = (
    table, characterise, moments, distribution, crosstab, glm, cox, survival, propensity, clusters, pathways
)  # fmt: skip
METHODS: dict[str, Method] = {each.name: each for family in FAMILIES for each in family.METHODS}


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


def start(name: str, spec: Any) -> dict:
    """The first round's state; raises Problem for a specification that is wrong or of another method."""
    chosen = method(name)
    if specification.kind(spec) != name:
        raise Problem("specification", N_("This is not a specification of the method {name}."), where="kind", name=name)
    return chosen.initial_state(spec)


def public(name: str, spec: dict, state: dict) -> dict:
    """What sites see of a state; what the rounds before summed up to stays with the combiner."""
    return {key: state[key] for key in method(name).initial_state(spec)}


def run(name: str, frames: Sequence[pa.Table], spec: dict) -> dict:
    """The result of a method over these sites' frames; one frame gives the pooled result."""
    chosen, state = method(name), start(name, spec)
    sites = [chosen.prepare(frame, spec) for frame in frames]
    done, result = False, None
    while not done:
        seen = public(name, spec, state)
        state, done, result = chosen.combine(sums.pool([chosen.local(site, spec, seen) for site in sites]), spec, state)
    assert result is not None
    return result
