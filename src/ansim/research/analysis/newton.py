"""Newton's method on pooled sums: the next coefficients, when they have settled, and why there may be none.

Sums of sites' log-likelihoods, gradients and informations are those of the pooled data, so each step is the pooled step
(McCullagh and Nelder, Generalized Linear Models, 2nd ed., section 2.5).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from ansim.errors import N_, Problem

MAX_ROUNDS = 30
SETTLED = 1e-9  # a step this small, in units of the coefficients, changes nothing that is read
COLLINEAR = 1e-10  # smallest eigenvalue of the information, scaled to ones on its diagonal, at the first round
SEPARATED = 1e-7  # smallest share of the first round's information in a direction before it counts as gone
NORMAL_975 = 1.959963984540054  # 97.5 % point of the standard normal distribution


@dataclass(frozen=True)
class Step:
    """state: of the next round. settled: then `beta` (p) and `covariance` (p × p, of unit dispersion) are final."""

    state: dict
    settled: bool
    beta: np.ndarray
    covariance: np.ndarray


def beta_of(state: dict, size: int) -> np.ndarray:
    beta = np.array(state.get("beta", []), dtype=float)
    if beta.shape != (size,) or not np.isfinite(beta).all():
        raise Problem("state-shape", N_("The round does not fit the model."), where="beta")
    return beta


def step(names: list[str], state: dict, loglik: float, gradient: list, information: list) -> Step:
    """One step from the pooled sums at the state's coefficients.

    Raises Problem for collinear or empty terms, for terms that fully tell the outcome, and after too many rounds.
    """
    beta = beta_of(state, len(names))
    slope, curve = np.array(gradient, float), np.array(information, float)
    if slope.shape != beta.shape or curve.shape != (len(names), len(names)):
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    first = np.array(state["first"]) if "first" in state else curve
    if "first" not in state:
        solvable(names, curve)
    _not_separated(names, curve, first)
    if state["round"] >= MAX_ROUNDS:
        raise Problem("no-convergence", N_("The model did not settle in {rounds} rounds."), rounds=MAX_ROUNDS)
    if "loglik" in state and loglik < state["loglik"] - 1e-9 * (1 + abs(loglik)):
        half = (beta + np.array(state["previous"])) / 2  # the step went too far: go back half of it
        return Step(state | {"round": state["round"] + 1, "beta": half.tolist()}, False, half, curve)
    move = np.linalg.solve(curve, slope)
    following = {
        **state,
        "round": state["round"] + 1,
        "beta": (beta + move).tolist(),
        "previous": beta.tolist(),
        "loglik": loglik,
        "first": first.tolist(),
        "null": state.get("null", loglik),
    }
    settled = bool(np.abs(move).max() <= SETTLED * max(1.0, np.abs(beta).max()))
    return Step(following, settled, beta + move, np.linalg.inv(curve) if settled else curve)


def solvable(names: list[str], information: np.ndarray) -> None:
    """Raises Problem for a term that is zero for everybody and for terms that say the same."""
    diagonal = np.diag(information)
    for name, value in zip(names, diagonal, strict=True):
        if value <= 0:
            raise Problem(
                "empty-term",
                N_("{term} is the same for everybody."),
                where=name,
                remedy=N_("Leave it out of the model or merge its level with another."),
                term=name,
            )
    values, vectors = np.linalg.eigh(information / np.sqrt(np.outer(diagonal, diagonal)))
    if values[0] < COLLINEAR:
        part = np.abs(vectors[:, 0])
        said = [name for name, size in zip(names, part, strict=True) if size > 0.01 * part.max()]
        raise Problem(
            "collinear",
            N_("Some terms say the same: {terms}."),
            where="terms",
            remedy=N_("Leave one of them out."),
            terms=", ".join(said),
        )


def _not_separated(names: list[str], information: np.ndarray, first: np.ndarray) -> None:
    """In a direction that separates cases from the others, coefficients grow for ever and the information melts away
    (Albert and Anderson, Biometrika 1984; 71: 1-10): compare each direction with what it had in the first round."""
    root = np.linalg.inv(np.linalg.cholesky(first))
    values, vectors = np.linalg.eigh(root @ information @ root.T)
    if values[0] < SEPARATED:
        direction = np.abs(root.T @ vectors[:, 0]) * np.sqrt(np.diag(first))
        if names[0] == "(intercept)" and len(names) > 1:
            direction[0] = 0  # the intercept follows the term that separates
        raise Problem(
            "separated",
            N_("The outcome is fully told by {term} (or by terms together with it): no finite odds ratio exists."),
            where="terms",
            remedy=N_("Leave the term out, merge rare levels or widen the cohort."),
            term=names[int(np.argmax(direction))],
        )


def terms(names: list[str], beta: np.ndarray, errors: np.ndarray, ratio: str = "", freedom: int = 0) -> list[dict]:
    """Coefficient, standard error, z (or t, with `freedom`), two-sided p and 95 % interval (Wald), for each column.

    ratio: the name under which exp(coefficient) stands, with its interval in `low` and `high`; without one the interval
    is that of the coefficient.
    """
    points = float(special.stdtrit(freedom, 0.975)) if freedom else NORMAL_975
    found = []
    for name, value, error in zip(names, beta, errors, strict=True):
        score = float(value / error)
        p = 2 * float(special.stdtr(freedom, -abs(score))) if freedom else math.erfc(abs(score) / math.sqrt(2))
        low, high = float(value - points * error), float(value + points * error)
        one = {"name": name, "coefficient": float(value), "se": float(error), ("t" if freedom else "z"): score, "p": p}
        shown = {ratio: exp(value), "low": exp(low), "high": exp(high)} if ratio else {"low": low, "high": high}
        found.append(one | shown)
    return found


def exp(coefficient: float) -> float:
    return math.exp(min(float(coefficient), 700.0))  # beyond, a float would be infinite and JSON has no word for it
