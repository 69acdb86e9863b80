"""The node's own guard before a site's sums leave it: intermediates must not be about one person.

One guard for all methods: a method says what enters its sums (`Method.parts`), the rules stand here. Checked on the
site's own people, because the centre cannot know them. A site without people is fine: its sums are zeros and say "no
people". A level, flag or outcome that nobody (or everybody) has is let through, since its sums are then those of the
whole group; one that a few people have is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ansim.errors import N_, Problem
from ansim.research.analysis import methods
from ansim.research.analysis.method import Parts


@dataclass(frozen=True)
class Policy:
    """threshold: fewest people in any part. people: fewest in a model or table. freedom: fewest residual degrees of
    freedom. rounds: most rounds of one job. dominance: largest share of a column's sum of squares that is one person's.
    alone: whether sums that should stand in a pool only may go out without masks.
    """

    threshold: int = 10
    people: int = 30
    freedom: int = 10
    rounds: int = 60
    dominance: float = 0.5
    alone: bool = False


def admissible(name: str, data: Any, spec: dict, policy: Policy, state: dict, *, masked: bool = False) -> list[Problem]:
    """Why this round's aggregate must not leave the site; empty when it may.

    data: what the method prepared. masked: the sums leave masked, so that only their pool over three sites or more is
    seen. Columns are judged in the first round; they are the same in each.
    """
    chosen = methods.method(name)
    if state.get("round", 0) >= policy.rounds:
        return [Problem("too-many-rounds", N_("At most {rounds} rounds are answered."), rounds=policy.rounds)]
    reason = chosen.alone(spec)
    if reason and not masked and not policy.alone:
        remedy = N_("Ask three hospitals or more together, use a coarser grid or stratify by site.")
        return [Problem("alone", reason, remedy=remedy)]
    parts = chosen.parts(data, spec, state)
    if parts.people == 0:
        return []
    problems = list(_of_state(parts, policy))
    if state.get("round", 0) == 0:
        problems = [*_few(parts, policy), *_thin(parts.columns, policy), *problems]
    return problems


def _few(parts: Parts, policy: Policy) -> Iterable[Problem]:
    if parts.people < policy.people:
        yield Problem(
            "few-people",
            N_("Fewer than {least} people are asked about."),
            remedy=N_("Widen the cohort."),
            least=policy.people,
        )
    if parts.parameters and parts.people - parts.parameters < policy.freedom:
        yield Problem(
            "few-degrees",
            N_("The model leaves fewer than {least} degrees of freedom."),
            remedy=N_("Use fewer terms."),
            least=policy.freedom,
        )


def _thin(columns: Iterable[tuple[str, np.ndarray]], policy: Policy) -> Iterable[Problem]:
    """Parts of the data that a few people alone make up: levels, flags, the outcome, rare values, one heavy value."""
    for name, values in columns:
        if not len(values):
            continue
        _, counts = np.unique(values, return_counts=True)
        apart = len(values) - int(counts.max())  # people who differ from the most common value
        if 0 < apart < policy.threshold or _dominated(values, policy):
            yield Problem(
                "few-in-part",
                N_("Too few people make up {part}."),
                where=name,
                remedy=N_("Leave it out or merge it with another."),
                part=name,
            )


def _dominated(values: np.ndarray, policy: Policy) -> bool:
    squares = (values - np.median(values)) ** 2
    return bool(squares.sum() > 0 and squares.max() > policy.dominance * squares.sum())


def _of_state(parts: Parts, policy: Policy) -> Iterable[Problem]:
    """Coefficients or centres chosen to point at few people: the sums of the round then rest on them.

    How many people weights rest on is Kish's effective sample size, (sum w)² / sum w² (Survey Sampling, 1965).
    """
    if parts.weights is not None:
        total = float(np.square(parts.weights).sum())
        if not total > 0 or float(parts.weights.sum()) ** 2 / total < policy.threshold:
            yield Problem("pointed", N_("The coefficients of this round rest on too few people."), where="beta")
    if any(0 < size < policy.threshold for size in parts.groups):
        yield Problem("pointed", N_("A group of this round has too few people."), where="centres")
