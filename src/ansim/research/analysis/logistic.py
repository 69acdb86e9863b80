"""Logistic regression over several sites by Newton's method, equal to the fit of the pooled data.

Each round a site sends, for the coefficients it was given, only sums over its people: their number, the cases, the
log-likelihood, its gradient X'(y - p) and the information X'WX with W = diag(p(1 - p)). Sums of sums are the pooled
sums, so each step is the pooled step (McCullagh and Nelder, Generalized Linear Models, 2nd ed., section 4.4).
"""

import math
from typing import Any

import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import design, specification
from ansim.research.analysis.specification import Model

NAME = "logistic"
MAX_ROUNDS = 30
SETTLED = 1e-9  # a step this small, in units of the coefficients, changes nothing that is read
COLLINEAR = 1e-10  # smallest eigenvalue of the information, scaled to ones on its diagonal, at the first round
SEPARATED = 1e-7  # smallest share of the first round's information in a direction before it counts as gone
NORMAL_975 = 1.959963984540054  # 97.5 % point of the standard normal distribution


def initial_state(spec: dict) -> dict:
    """The first round's state: all coefficients zero."""
    model = _model(spec)
    return {"round": 0, "beta": [0.0] * len(model.names)}


def local(frame: pa.Table, spec: dict, state: dict) -> dict:
    """This site's sums for the coefficients of the state (p of them).

    {"people": n, "cases": n, "dropped": n, "loglik": x, "gradient": [p], "information": [[p] * p]}
    """
    model = _model(spec)
    made = design.build(frame, model)
    beta = _beta(state, model)
    eta = made.x @ beta
    expected = probabilities(eta)
    weighted = made.x * (expected * (1 - expected))[:, None]
    return {
        "people": len(made.y),
        "cases": int(made.y.sum()),
        "dropped": made.dropped,
        "loglik": float(made.y @ eta - np.logaddexp(0, eta).sum()),
        "gradient": (made.x.T @ (made.y - expected)).tolist(),
        "information": (made.x.T @ weighted).tolist(),
    }


def combine(aggregates: list[dict], spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    """The next state, whether it is done, and then the result.

    Raises Problem when there is no finite answer: no people or cases, collinear terms, separation, too many rounds.
    """
    model = _model(spec)
    beta, size = _beta(state, model), len(model.names)
    sums = [_checked(aggregate, size) for aggregate in aggregates]
    people, cases, dropped = (sum(part[name] for part in sums) for name in ("people", "cases", "dropped"))
    loglik = math.fsum(part["loglik"] for part in sums)
    gradient = sum((np.array(part["gradient"], float) for part in sums), np.zeros(size))
    information = sum((np.array(part["information"], float) for part in sums), np.zeros((size, size)))
    first = np.array(state.get("first", information))
    if state["round"] == 0:
        _solvable(model, people, cases, information)
    _not_separated(model, information, first)
    if state["round"] >= MAX_ROUNDS:
        raise Problem("no-convergence", N_("The model did not settle in {rounds} rounds."), rounds=MAX_ROUNDS)
    if "loglik" in state and loglik < state["loglik"] - 1e-9 * (1 + abs(loglik)):
        half = (beta + np.array(state["previous"])) / 2  # the step went too far: go back half of it
        return state | {"round": state["round"] + 1, "beta": half.tolist()}, False, None
    step = np.linalg.solve(information, gradient)
    following = {
        "round": state["round"] + 1,
        "beta": (beta + step).tolist(),
        "previous": beta.tolist(),
        "loglik": loglik,
        "first": first.tolist(),
    }
    if np.abs(step).max() > SETTLED * max(1.0, np.abs(beta).max()):
        return following, False, None
    result = {
        "kind": NAME,
        "outcome": model.outcome,
        "people": people,
        "cases": cases,
        "dropped": dropped,
        "rounds": following["round"],
        "loglik": loglik,
        "null_loglik": cases * math.log(cases / people) + (people - cases) * math.log(1 - cases / people),
        "terms": _terms(model, beta + step, np.sqrt(np.diag(np.linalg.inv(information)))),
    }
    return following, True, result


def probabilities(eta: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-eta)) without overflow."""
    return np.exp(-np.logaddexp(0, -eta))


def _model(spec: dict) -> Model:
    model = specification.model(spec)
    if model.kind != NAME:
        raise Problem("specification", N_("This is not a logistic model."), where="kind")
    return model


def _beta(state: dict, model: Model) -> np.ndarray:
    beta = np.array(state.get("beta", []), dtype=float)
    if beta.shape != (len(model.names),) or not np.isfinite(beta).all():
        raise Problem("state-shape", N_("The round does not fit the model."), where="beta")
    return beta


def _checked(aggregate: Any, size: int) -> dict:
    """A site's sums, refused as a whole when they are not of the agreed shape."""
    try:
        numbers = [aggregate["loglik"], *aggregate["gradient"]]
        numbers += [number for row in aggregate["information"] for number in row]
        counts = [aggregate[name] for name in ("people", "cases", "dropped")]
        square = [len(row) for row in aggregate["information"]] == [size] * size
        sound = (
            square
            and len(aggregate["gradient"]) == size
            and all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
            and all(type(count) is int and count >= 0 for count in counts)
            and aggregate["cases"] <= aggregate["people"]
        )
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    return aggregate


def _solvable(model: Model, people: int, cases: int, information: np.ndarray) -> None:
    if cases in (0, people):
        raise Problem(
            "one-outcome",
            N_("All people in the model have the same outcome."),
            where="outcome",
            remedy=N_("Widen the cohort or choose another outcome."),
        )
    diagonal = np.diag(information)
    for name, value in zip(model.names, diagonal, strict=True):
        if value <= 0:
            raise Problem(
                "empty-term",
                N_("{term} is zero for everybody."),
                where=name,
                remedy=N_("Leave it out of the model or merge its level with another."),
                term=name,
            )
    values, vectors = np.linalg.eigh(information / np.sqrt(np.outer(diagonal, diagonal)))
    if values[0] < COLLINEAR:
        part = np.abs(vectors[:, 0])
        names = [name for name, size in zip(model.names, part, strict=True) if size > 0.01 * part.max()]
        raise Problem(
            "collinear",
            N_("Some terms say the same: {terms}."),
            where="terms",
            remedy=N_("Leave one of them out."),
            terms=", ".join(names),
        )


def _not_separated(model: Model, information: np.ndarray, first: np.ndarray) -> None:
    """In a direction that separates cases from the others, coefficients grow for ever and the information melts away
    (Albert and Anderson, Biometrika 1984; 71: 1-10): compare each direction with what it had in the first round."""
    root = np.linalg.inv(np.linalg.cholesky(first))
    values, vectors = np.linalg.eigh(root @ information @ root.T)
    if values[0] < SEPARATED:
        direction = np.abs(root.T @ vectors[:, 0]) * np.sqrt(np.diag(first))
        direction[0] = 0  # the intercept follows the term that separates
        raise Problem(
            "separated",
            N_("The outcome is fully told by {term} (or by terms together with it): no finite odds ratio exists."),
            where="terms",
            remedy=N_("Leave the term out, merge rare levels or widen the cohort."),
            term=model.names[int(np.argmax(direction))],
        )


def _terms(model: Model, beta: np.ndarray, errors: np.ndarray) -> list[dict]:
    """Coefficient, standard error, z and two-sided p (Wald), odds ratio with its 95 % interval, for each column."""
    return [
        {
            "name": name,
            "coefficient": float(value),
            "se": float(error),
            "z": float(value / error),
            "p": math.erfc(abs(value / error) / math.sqrt(2)),
            "odds_ratio": _odds(value),
            "low": _odds(value - NORMAL_975 * error),
            "high": _odds(value + NORMAL_975 * error),
        }
        for name, value, error in zip(model.names, beta, errors, strict=True)
    ]


def _odds(coefficient: float) -> float:
    return math.exp(min(float(coefficient), 700.0))  # beyond, a float would be infinite and JSON has no word for it
