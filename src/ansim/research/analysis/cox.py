"""Cox regression over several sites: stratified by site, or exact over the pool; ties after Breslow or Efron.

strata "site": each site's own partial likelihood, gradient and information are summed, so no event time leaves a site.
strata "none": the exact pooled model. Each site sends, for each step of an agreed grid of time, sums over the people
who left at it; the pooled sums give the pooled risk sets. With a grid as fine as the times this equals the fit of the
pooled data. It shows at which times how many people had the event, so one site's sums may not stand alone.

Partial likelihood: Cox, JRSS B 1972; ties: Breslow, Biometrics 1974, and Efron, JASA 1977 (as in Therneau and Grambsch,
Modeling Survival Data, 2000, section 3.3).
"""

from typing import Any

import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import design, newton, specification
from ansim.research.analysis.design import Design
from ansim.research.analysis.method import Method, Parts
from ansim.research.analysis.specification import Model

NAME = "cox"
Sums = dict[str, np.ndarray]  # by step of time, see _by_step


def initial_state(spec: dict) -> dict:
    return {"round": 0, "beta": [0.0] * len(_model(spec).names)}


def prepare(frame: pa.Table, spec: dict) -> Design:
    """People with a time beyond the horizon are censored there; with strata "none" times stand on the grid."""
    model = _model(spec)
    made = design.build(frame, model, "flag")
    horizon, grid = model.option("horizon"), model.option("grid")
    beyond = made.time > horizon
    time = np.floor(np.minimum(made.time, horizon) / grid) if model.option("strata") == "none" else made.time
    event = np.where(beyond, 0.0, made.y)
    order = np.argsort(time, kind="stable")
    return Design(made.x[order], event[order], made.offset[order], time[order], made.names, made.dropped)


def local(made: Design, spec: dict, state: dict) -> dict:
    """{"people", "events", "dropped"}; stratified {"loglik", "gradient", "information"}, exact the sums by step."""
    model = _model(spec)
    beta = newton.beta_of(state, len(model.names))
    sums: dict[str, Any] = {"people": len(made.y), "events": int(made.y.sum()), "dropped": made.dropped}
    if state["round"] == 0:
        event = made.y > 0
        sums |= {
            "having": (made.x != 0).sum(axis=0).tolist(),
            "both": ((made.x != 0) & event[:, None]).sum(axis=0).tolist(),
            "other": ((made.x != 0) & (made.x != 1)).sum(axis=0).tolist(),
        }
    if model.option("strata") == "site":
        return sums | _partial(_by_step(made, np.unique(made.time), beta), model.option("ties"))
    steps = np.arange(model.option("horizon") // model.option("grid") + 1, dtype=float)
    return sums | {"steps": {name: part.tolist() for name, part in _by_step(made, steps, beta).items()}}


def _by_step(made: Design, steps: np.ndarray, beta: np.ndarray) -> Sums:
    """Sums over the people who leave at each step (w = exp(x b)): of all of them, and of those with the event.

    "w", "wx" [p], "wxx" [p(p+1)/2]; with the event "d" (number), "x" [p], "e", "ex", "exx".
    """
    weight = np.exp(made.x @ beta)
    place = np.searchsorted(steps, made.time)
    upper = np.triu_indices(made.x.shape[1])

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(place, values, minlength=len(steps)).astype(float)  # without people numpy gives ints

    def columns(of: np.ndarray) -> np.ndarray:
        return np.column_stack([sums(of * column) for column in made.x.T])

    def squares(of: np.ndarray) -> np.ndarray:
        pairs = zip(*upper, strict=True)
        return np.column_stack([sums(of * made.x[:, i] * made.x[:, j]) for i, j in pairs])

    event = made.y * weight
    return {
        "w": sums(weight), "wx": columns(weight), "wxx": squares(weight),
        "d": sums(made.y), "x": columns(made.y), "e": sums(event), "ex": columns(event), "exx": squares(event),
    }  # fmt: skip


def _partial(sums: Sums, ties: str) -> dict:
    """Log partial likelihood, gradient and information from the sums by step, in order of time."""
    size = sums["x"].shape[1]
    upper = np.triu_indices(size)
    risk, risk_x, risk_xx = (np.cumsum(sums[name][::-1], axis=0)[::-1] for name in ("w", "wx", "wxx"))
    loglik, gradient, packed = 0.0, sums["x"].sum(axis=0), np.zeros(len(upper[0]))
    deaths = np.rint(sums["d"]).astype(int)
    for k in range(int(deaths.max(initial=0))):
        at = deaths > k
        part = (k / deaths[at]) if ties == "efron" else np.zeros(int(at.sum()))
        base = risk[at] - part * sums["e"][at]
        mean = (risk_x[at] - part[:, None] * sums["ex"][at]) / base[:, None]
        square = (risk_xx[at] - part[:, None] * sums["exx"][at]) / base[:, None]
        loglik -= float(np.log(base).sum())
        gradient = gradient - mean.sum(axis=0)
        packed += (square - mean[:, upper[0]] * mean[:, upper[1]]).sum(axis=0)
    information = np.zeros((size, size))
    information[upper] = packed
    information = information + np.triu(information, 1).T
    return {
        "loglik": loglik, "covariates": sums["x"].sum(axis=0).tolist(),
        "gradient": gradient.tolist(), "information": information.tolist(),
    }  # fmt: skip


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    """As for a generalised linear model; raises Problem where no finite answer exists."""
    model = _model(spec)
    if state["round"] == 0:
        if pooled["events"] == 0:
            raise Problem(
                "one-outcome",
                N_("Nobody in the model has the event."),
                where="outcome",
                remedy=N_("Widen the cohort or choose another outcome."),
            )
        state = state | {"about": {name: pooled[name] for name in ("having", "both", "other")}}
    if model.option("strata") == "none":
        shapes = {name: np.array(part, float) for name, part in pooled["steps"].items()}
        pooled = pooled | _partial(shapes, model.option("ties"))
    beta = newton.beta_of(state, len(model.names))
    loglik = pooled["loglik"] + float(np.dot(pooled["covariates"], beta))
    step = newton.step(model.names, state, loglik, pooled["gradient"], pooled["information"])
    if not step.settled:
        return step.state, False, None
    result = {
        "kind": NAME,
        "outcome": model.outcome,
        "strata": model.option("strata"),
        "ties": model.option("ties"),
        "people": pooled["people"],
        "cases": pooled["events"],
        "dropped": pooled["dropped"],
        "rounds": step.state["round"],
        "loglik": loglik,
        "null_loglik": step.state["null"],
        "about": {**state["about"], "cases": pooled["events"]},
        "terms": newton.terms(model.names, step.beta, np.sqrt(np.diag(step.covariance)), "hazard_ratio"),
    }
    return step.state, True, result


def parts(made: Design, spec: dict, state: dict) -> Parts:
    weights = np.exp(np.minimum(made.x @ newton.beta_of(state, len(made.names)), 500.0))
    return Parts(len(made.y), (("event", made.y), *design.columns(made, _model(spec))), len(made.names), weights)


def alone(spec: dict) -> str:
    if _model(spec).option("strata") == "site":
        return ""
    return N_("An exact Cox model shows at which times people of one site had the event.")


def _model(spec: dict) -> Model:
    model = specification.model(spec)
    if model.kind != NAME:
        raise Problem("specification", N_("This is not a model of this method."), where="kind")
    return model


METHODS = [Method(NAME, N_("Cox regression"), initial_state, prepare, local, combine, parts, alone)]
