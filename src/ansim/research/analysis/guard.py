"""The node's own guard before a site's sums leave it: intermediates must not be about one person.

Checked for each round on the site's own frame, because the centre cannot know it. A site without people is fine: its
sums are zeros and say "no people". A level, flag or outcome that nobody (or everybody) has is let through, since its
sums are then those of the whole group; one that a few people have is refused.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import design, logistic, specification, table
from ansim.research.analysis.specification import Model


@dataclass(frozen=True)
class Policy:
    """threshold: fewest people in any part. people: fewest in a model or table. freedom: fewest residual degrees of
    freedom. rounds: most rounds of one job. dominance: largest share of a term's sum of squares that is one person's.
    """

    threshold: int = 10
    people: int = 30
    freedom: int = 10
    rounds: int = 30
    dominance: float = 0.5


def admissible(frame: pa.Table, spec: dict, policy: Policy, state: dict) -> list[Problem]:
    """Why this round's aggregate must not leave the site; empty when it may.

    Raises Problem, as the method itself would, for a specification that does not fit the frame.
    """
    if state.get("round", 0) >= policy.rounds:
        return [Problem("too-many-rounds", N_("At most {rounds} rounds are answered."), rounds=policy.rounds)]
    if spec.get("ansim") == "table/1":
        return _few(table.local(frame, spec, state)["people"], policy)
    if spec.get("kind") != logistic.NAME:
        return [Problem("no-method", N_("There is no guard for this method."), where="kind")]
    model = specification.model(spec)
    made = design.build(frame, model)
    people = len(made.y)
    if people == 0:
        return []
    problems = _few(people, policy)
    if people - len(made.names) < policy.freedom:
        problems.append(
            Problem(
                "few-degrees",
                N_("The model leaves fewer than {least} degrees of freedom."),
                remedy=N_("Use fewer terms."),
                least=policy.freedom,
            )
        )
    problems += _thin_parts(model, made, policy)
    return problems + _pointed(made, state, policy)


def _few(people: int, policy: Policy) -> list[Problem]:
    if people == 0 or people >= policy.people:
        return []
    remedy = N_("Widen the cohort.")
    return [Problem("few-people", N_("Fewer than {least} people are asked about."), remedy=remedy, least=policy.people)]


def _thin_parts(model: Model, made: design.Design, policy: Policy) -> list[Problem]:
    """Parts of the data that a few people alone make up: levels, flags, the outcome, rare values, one heavy value."""
    parts = [(model.outcome, made.y)]
    place = 1
    for term in model.terms:
        width = len(term.names)
        block = made.x[:, place : place + width]
        parts += list(zip(term.names, block.T, strict=True))
        if term.levels:
            parts.append((f"{term.variable}={term.levels[0]}", 1 - block.sum(axis=1)))
        place += width
    problems = []
    for name, values in parts:
        _, counts = np.unique(values, return_counts=True)
        apart = len(values) - int(counts.max())  # people who differ from the most common value
        if 0 < apart < policy.threshold or _dominated(values, policy):
            problems.append(
                Problem(
                    "few-in-part",
                    N_("Too few people make up {part}."),
                    where=name,
                    remedy=N_("Leave it out or merge it with another."),
                    part=name,
                )
            )
    return problems


def _dominated(values: np.ndarray, policy: Policy) -> bool:
    squares = (values - np.median(values)) ** 2
    return bool(squares.sum() > 0 and squares.max() > policy.dominance * squares.sum())


def _pointed(made: design.Design, state: dict, policy: Policy) -> list[Problem]:
    """Coefficients chosen to point at few people: the weights p(1 - p) then rest on them. Their number is measured as
    Kish's effective sample size, (sum w)² / sum w² (Survey Sampling, 1965)."""
    eta = made.x @ np.array(state.get("beta", []), dtype=float)
    expected = logistic.probabilities(eta)
    weights = expected * (1 - expected)
    total = float(np.square(weights).sum())
    if total > 0 and float(weights.sum()) ** 2 / total >= policy.threshold:
        return []
    return [Problem("pointed", N_("The coefficients of this round rest on too few people."), where="beta")]
