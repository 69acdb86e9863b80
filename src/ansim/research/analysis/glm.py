"""Generalised linear models over several sites, equal to the fit of the pooled data: linear, logistic, Poisson.

Each round a site sends, for the coefficients it was given, sums over its people: their number, the log-likelihood, its
gradient X'(y - m) and the information X'WX, with m the expectations and W their variance (canonical links: McCullagh
and Nelder, Generalized Linear Models, 2nd ed., section 2.5). In the first round also, for each column, how many people
have it, how many of them have an outcome other than 0, and how many have a value other than 0 and 1: what a release
must know to see whether a term singles people out.

Starting from zero a linear model is solved by the first step; the second corrects what rounding left.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import special

from ansim.errors import N_, Problem
from ansim.research.analysis import design, newton, specification
from ansim.research.analysis.design import Design
from ansim.research.analysis.method import Method, Parts
from ansim.research.analysis.specification import Model

RATIOS = {"logistic": "odds_ratio", "poisson": "rate_ratio", "linear": ""}
OUTCOMES = {"logistic": "flag", "poisson": "count", "linear": "number"}


@dataclass(frozen=True)
class Fit:
    """Expectation m and variance w of each person at the linear predictor, and the log-likelihood of all."""

    expected: np.ndarray
    weights: np.ndarray
    loglik: float


def initial_state(spec: dict) -> dict:
    """The first round's state: all coefficients zero."""
    return {"round": 0, "beta": [0.0] * len(_model(spec).names)}


def prepare(frame: pa.Table, spec: dict) -> Design:
    model = _model(spec)
    return design.build(frame, model, OUTCOMES[model.kind])


def local(made: Design, spec: dict, state: dict) -> dict:
    """This site's sums for the coefficients of the state (p of them).

    {"people": n, "dropped": n, "loglik": x, "gradient": [p], "information": [[p] * p]}; in the first round also
    "outcome": sum of y, "square": sum of y², "exposure": sum, "having", "both", "other": [p] numbers of people.
    """
    beta = newton.beta_of(state, len(made.names))
    fit = fitted(spec["kind"], made, beta)
    sums = {
        "people": len(made.y),
        "dropped": made.dropped,
        "loglik": fit.loglik,
        "gradient": (made.x.T @ (made.y - fit.expected)).tolist(),
        "information": (made.x.T @ (made.x * fit.weights[:, None])).tolist(),
    }
    return sums | _about(made) if state["round"] == 0 else sums


def _about(made: Design) -> dict:
    having, true = made.x != 0, made.y != 0
    return {
        "outcome": float(made.y.sum()),
        "square": float(made.y @ made.y),
        "cases": int(true.sum()),
        "exposure": float(np.exp(made.offset).sum()),
        "having": having.sum(axis=0).tolist(),
        "both": (having & true[:, None]).sum(axis=0).tolist(),
        "other": (having & (made.x != 1)).sum(axis=0).tolist(),
    }


def fitted(kind: str, made: Design, beta: np.ndarray) -> Fit:
    """Raises Problem when the coefficients drive an expectation out of a float's range."""
    eta = made.x @ beta + made.offset
    if kind == "logistic":
        expected = special.expit(eta)
        return Fit(expected, expected * (1 - expected), float(made.y @ eta - np.logaddexp(0, eta).sum()))
    if kind == "poisson":
        expected = np.exp(np.minimum(eta, 500.0))
        constant = special.gammaln(made.y + 1).sum()
        return Fit(expected, expected, float(made.y @ eta - expected.sum() - constant))
    residual = made.y - eta
    return Fit(eta, np.ones(len(eta)), -0.5 * float(residual @ residual))


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    """The next state, whether it is done, and then the result.

    Raises Problem when there is no finite answer: no people or cases, collinear terms, separation, too many rounds.
    """
    model = _model(spec)
    if state["round"] == 0:
        state = state | {"about": _sound(pooled, model)}
        if model.kind == "poisson":
            return _first_rate(model, state), False, None
    step = newton.step(model.names, state, pooled["loglik"], pooled["gradient"], pooled["information"])
    if not step.settled:
        return step.state, False, None
    return step.state, True, _result(model, pooled, step)


def _sound(pooled: dict, model: Model) -> dict:
    about = {name: pooled[name] for name in ("people", "outcome", "square", "cases", "having", "both", "other")}
    about["exposure"] = pooled["exposure"]
    people, cases = pooled["people"], pooled["cases"]
    if (model.kind == "logistic" and cases in (0, people)) or (model.kind == "poisson" and cases == 0):
        raise Problem(
            "one-outcome",
            N_("All people in the model have the same outcome."),
            where="outcome",
            remedy=N_("Widen the cohort or choose another outcome."),
        )
    newton.solvable(model.names, np.array(pooled["information"]))
    if people <= len(model.names):
        raise Problem(
            "few-degrees",
            N_("The model leaves fewer than {least} degrees of freedom."),
            remedy=N_("Use fewer terms."),
            least=1,
        )
    return about


def _first_rate(model: Model, state: dict) -> dict:
    """A Poisson model starts at the crude rate: from zero, the first step of a frequent outcome would overflow."""
    about = state["about"]
    beta = [math.log(about["outcome"] / about["exposure"]), *[0.0] * (len(model.names) - 1)]
    return state | {"round": 1, "beta": beta}


def _result(model: Model, pooled: dict, step: newton.Step) -> dict:
    people, about = pooled["people"], step.state["about"]
    found: dict[str, Any] = {
        "kind": model.kind,
        "outcome": model.outcome,
        "people": people,
        "dropped": pooled["dropped"],
        "rounds": step.state["round"],
        "about": {name: about[name] for name in ("cases", "having", "both", "other")},
    }
    errors, ratio = np.sqrt(np.diag(step.covariance)), RATIOS[model.kind]
    if model.kind != "linear":
        cases = about["cases"]
        found |= {"cases": cases, "loglik": pooled["loglik"], "null_loglik": step.state["null"]}
        if model.kind == "logistic":
            share = cases / people
            found["null_loglik"] = cases * math.log(share) + (people - cases) * math.log(1 - share)
        return found | {"terms": newton.terms(model.names, step.beta, errors, ratio)}
    freedom = people - len(model.names)
    residual = -2 * pooled["loglik"]
    total = about["square"] - about["outcome"] ** 2 / people
    variance = residual / freedom
    found |= {"freedom": freedom, "sigma": math.sqrt(variance), "r_squared": 1 - residual / total if total > 0 else 0.0}
    return found | {"terms": newton.terms(model.names, step.beta, errors * math.sqrt(variance), freedom=freedom)}


def parts(made: Design, spec: dict, state: dict) -> Parts:
    """Weights: variances at the state's coefficients; coefficients of somebody's choice could rest on few people."""
    columns = [*design.columns(made, _model(spec))]
    if spec["kind"] == "logistic":
        columns.insert(0, (spec["outcome"], made.y))
    weights = fitted(spec["kind"], made, newton.beta_of(state, len(made.names))).weights
    return Parts(len(made.y), tuple(columns), len(made.names), weights if spec["kind"] != "linear" else None)


def _model(spec: dict) -> Model:
    model = specification.model(spec)
    if model.kind not in RATIOS:
        raise Problem("specification", N_("This is not a model of this method."), where="kind")
    return model


METHODS = [
    Method(name, title, initial_state, prepare, local, combine, parts)
    for name, title in (
        ("linear", N_("Linear regression")),
        ("logistic", N_("Logistic regression")),
        ("poisson", N_("Poisson regression")),
    )
]
