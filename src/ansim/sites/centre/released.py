"""What a released result may show, decided for each method: every number passes the disclosure rules.

Each function gets the specification, the true result and the policy, and gives (body, table): the numbers that may
leave, and the same as rows for people. It raises Problem where nothing may. Counts are protected as tables are, or
rounded; sums and means come in a few significant digits; tests and effects only where no group is small; what the
method itself needed in between (likelihoods, sums of squares, sizes of subgroups) stays here.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import HIDDEN, Released, protect_counts, round_to
from ansim.privacy.disclosure.rules import extreme, model_rules
from ansim.privacy.disclosure.table import TOTAL, Key, TableSpec

Rows = list[dict[str, Any]]
Shown = tuple[dict[str, Any], Rows]


def counts(result: dict, policy: Policy, *names: str) -> dict:
    return {name: round_to(result[name], policy.rounding) for name in names if name in result}


def digits(value: float | None, policy: Policy) -> float | None:
    """A number in as many significant digits as the policy lets leave; None stays None."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{policy.significant_digits}g}")


def enough(people: int, policy: Policy, where: str) -> None:
    """Raises Problem for a group of fewer people than the threshold."""
    if people < policy.threshold:
        raise Problem(
            "small-group",
            N_("A variable of the model singles out {n} people; at least {threshold} are needed."),
            where=where,
            remedy=N_("Join its categories or leave the variable out."),
            n=people,
            threshold=policy.threshold,
        )


def protected(dimensions: tuple[str, ...], cells: Mapping[Key, int], policy: Policy) -> Released:
    """Counts of a full grid, with the margins made, as a protected table."""
    full: dict[Key, int] = {}
    for key, people in cells.items():
        for summed in itertools.product((False, True), repeat=len(key)):
            place = tuple(TOTAL if whole else part for part, whole in zip(key, summed, strict=True))
            full[place] = full.get(place, 0) + people
    released = protect_counts(full, TableSpec(dimensions[:1], dimensions[1:]), policy)
    if released.refused:
        raise Problem("nothing-shown", N_("Nothing of this table may be shown."))
    return released


# --- models -----------------------------------------------------------------------------------------------------------

RATIOS = {"logistic": "odds_ratio", "poisson": "rate_ratio", "cox": "hazard_ratio"}


def model(spec: dict, result: dict, policy: Policy) -> Shown:
    """Coefficients in full precision; counts rounded; likelihoods stay here, for they give the counts away."""
    found = model_rules(result["people"], len(result["terms"]), min(_groups(result)), policy)
    if found:
        raise found[0].problem()
    body = {"kind": result["kind"], "outcome": result["outcome"], **counts(result, policy, "people", "cases")}
    body |= {name: result[name] for name in ("strata", "ties") if name in result}
    body |= {name: digits(result[name], policy) for name in ("sigma", "r_squared") if name in result}
    rows = [{"term" if name == "name" else name: value for name, value in term.items()} for term in result["terms"]]
    return body | {"terms": result["terms"]}, rows


def _groups(result: dict) -> list[int]:
    """Sizes of the groups of people that a model's columns of 0 and 1 set apart, each by whether there is an outcome.

    Such a column with a flag as outcome is a table of four cells, which coefficients and standard errors give away.
    """
    about, people, cases = result["about"], result["people"], result["about"]["cases"]
    flag = result["kind"] in ("logistic", "cox")
    found = [cases, people - cases] if flag else [people]
    for having, both, other in zip(about["having"], about["both"], about["other"], strict=True):
        if having == people or other:
            continue
        found += (
            [both, having - both, cases - both, people - having - (cases - both)] if flag else [having, people - having]
        )
    return found


# --- counts -----------------------------------------------------------------------------------------------------------


def crosstab(spec: dict, result: dict, policy: Policy) -> Shown:
    """The protected table. The test only if no cell is hidden: from a statistic and margins a hidden cell follows."""
    cells = {
        (row, column): n
        for row, line in zip(result["rows"], result["counts"], strict=True)
        for column, n in zip(result["columns"], line, strict=True)
        if row not in result["empty"] and column not in result["empty"]
    }
    released = protected((result["row"], result["column"]), cells, policy)
    body = {name: result[name] for name in ("kind", "row", "column", "empty")} | counts(result, policy, "people")
    body["cells"] = _cells(released)
    if not released.hidden:
        body |= {name: digits(result[name], policy) for name in ("chi_square", "p", "cramers_v")}
        body["freedom"] = result["freedom"]
    return body, _table_rows(released)


def histogram(spec: dict, result: dict, policy: Policy) -> Shown:
    edges = result["edges"]
    names = [f"{low}-{high}" for low, high in itertools.pairwise(edges)]
    cells: dict[Key, int] = {(name,): n for name, n in zip(names, result["counts"], strict=True)}
    cells |= {(f"< {edges[0]}",): result["below"], (f">= {edges[-1]}",): result["above"], (None,): result["missing"]}
    released = protected((result["variable"],), cells, policy)
    spans = zip(names, itertools.pairwise(edges), strict=True)
    bins = [{"from": low, "to": high, "n": released.cells[(name,)].n} for name, (low, high) in spans]
    body = {"kind": "histogram", "variable": result["variable"], **counts(result, policy, "people")}
    return body | {"bins": bins}, _table_rows(released)


def pathways(spec: dict, result: dict, policy: Policy) -> Shown:
    """Pathways of few people are hidden by name too: that somebody walked one is already something."""
    often = [each for each in result["paths"] if each["people"] >= policy.threshold]
    rare = sum(each["people"] for each in result["paths"]) - sum(each["people"] for each in often)
    cells: dict[Key, int] = {(" > ".join(each["path"]),): each["people"] for each in often}
    released = protected(("path",), cells | {("(other)",): rare, ("(none)",): result["none"]}, policy)
    body = {"kind": "pathways", **counts(result, policy, "people")}
    paths = [{"path": each["path"], "people": released.cells[(" > ".join(each["path"]),)].n} for each in often]
    return body | {"paths": [each for each in paths if each["people"]]}, _table_rows(released)


def _cells(released: Released) -> Rows:
    return [{"key": list(cell.key), "n": cell.n, "text": cell.text} for cell in released.cells.values()]


def _table_rows(released: Released) -> Rows:
    return [
        {**dict(zip(released.spec.dimensions, map(_word, cell.key), strict=True)), "n": cell.text}
        for cell in released.cells.values()
    ]


def _word(part: Any) -> str:
    return "" if part is None else str(part)


# --- means ------------------------------------------------------------------------------------------------------------


def describe(spec: dict, result: dict, policy: Policy) -> Shown:
    rows = [{"variable": each["name"], **_summary(each, policy)} for each in result["variables"]]
    return {"kind": "describe", **counts(result, policy, "people"), "variables": rows}, rows


def _summary(each: dict, policy: Policy) -> dict:
    """n, mean and deviation of a group; hidden as a whole when few people have a value, or nearly all have it."""
    hidden = each["n"] < policy.threshold or not each["variance"]
    missing = {"missing": _count(each["missing"], policy)} if "missing" in each else {}
    if hidden:
        return {"n": HIDDEN, "mean": None, "sd": None} | missing
    values = {"mean": digits(each["mean"], policy), "sd": digits(each["sd"], policy)}
    return {"n": round_to(each["n"], policy.rounding)} | values | missing


def _count(n: int, policy: Policy) -> int | str:
    return round_to(n, policy.rounding) if n >= policy.threshold else HIDDEN


def means(spec: dict, result: dict, policy: Policy) -> Shown:
    """A t-test or an analysis of variance: every group has enough people, and the degrees of freedom suffice."""
    for group in result["groups"]:
        enough(group["n"], policy, group["name"])
    _freedom(sum(group["n"] for group in result["groups"]), len(result["groups"]), policy)
    rows = [{"group": each["name"], **_summary(each, policy)} for each in result["groups"]]
    shown = ("difference", "se", "t", "f", "p", "low", "high", "eta_squared")
    body: dict[str, Any] = {name: digits(result[name], policy) for name in shown if name in result}
    body |= {"kind": result["kind"], "outcome": result["outcome"], **counts(result, policy, "people"), "groups": rows}
    return body, [*rows, {"group": "test", "p": body["p"]}]


def _freedom(people: int, parameters: int, policy: Policy) -> None:
    found = model_rules(people, parameters, policy.threshold, policy)
    if found:
        raise found[0].problem()


def quantiles(spec: dict, result: dict, policy: Policy) -> Shown:
    """Each percentile that rests on enough people on either side; extremes by the policy's own rule."""
    rows, people = [], result["people"]
    for each in result["quantiles"]:
        beyond = int(people * min(each["percent"], 100 - each["percent"]) / 100)
        name = {0: "min", 100: "max"}.get(each["percent"], f"{each['percent']} %")
        hidden = people < 2 * policy.threshold or extreme(name, beyond, policy)
        rows.append({"percent": each["percent"], "value": None if hidden else digits(each["value"], policy)})
    if not any(row["value"] is not None for row in rows):
        raise Problem("nothing-shown", N_("Nothing of this table may be shown."))
    body = {"kind": "quantiles", "variable": result["variable"], **counts(result, policy, "people", "missing")}
    return body | {"quantiles": rows}, rows


def correlation(spec: dict, result: dict, policy: Policy) -> Shown:
    _freedom(result["people"], len(result["variables"]), policy)
    rows = [
        {name: digits(value, policy) if isinstance(value, float) else value for name, value in pair.items()}
        for pair in result["pairs"]
    ]
    return {
        "kind": "correlation",
        "variables": result["variables"],
        **counts(result, policy, "people"),
        "pairs": rows,
    }, rows


def pca(spec: dict, result: dict, policy: Policy) -> Shown:
    _freedom(result["people"], len(result["variables"]), policy)
    rows = [
        {
            "component": place,
            "share": digits(each["share"], policy),
            **{name: digits(value, policy) for name, value in zip(result["variables"], each["loadings"], strict=True)},
        }
        for place, each in enumerate(result["components"], start=1)
    ]
    return {
        "kind": "pca",
        "variables": result["variables"],
        **counts(result, policy, "people"),
        "components": rows,
    }, rows


def kmeans(spec: dict, result: dict, policy: Policy) -> Shown:
    for place, cluster in enumerate(result["clusters"], start=1):
        enough(cluster["people"], policy, str(place))
    rows = [
        {
            "cluster": place,
            "people": round_to(cluster["people"], policy.rounding),
            **{name: digits(value, policy) for name, value in zip(result["variables"], cluster["centre"], strict=True)},
        }
        for place, cluster in enumerate(result["clusters"], start=1)
    ]
    body = {"kind": "kmeans", "variables": result["variables"], "settled": result["settled"]}
    return body | {**counts(result, policy, "people"), "clusters": rows}, rows


def characterise(spec: dict, result: dict, policy: Policy) -> Shown:
    """Counts of each variable by group as a protected table; means as in `describe`; differences of shown ones."""
    names = [group["name"] for group in result["groups"]]
    for group in result["groups"]:
        enough(group["people"], policy, group["name"])
    shown: Rows = []
    for row in result["rows"]:
        shown += (_levels if "levels" in row else _numbers)(row, names, result["group"] or "group", policy)
    people = {group["name"]: round_to(group["people"], policy.rounding) for group in result["groups"]}
    return {"kind": "characterise", "group": result["group"], "people": people, "rows": shown}, shown


def _numbers(row: dict, names: list[str], _group: str, policy: Policy) -> Rows:
    groups = [_summary(each, policy) for each in row["groups"]]
    hidden = any(each["mean"] is None for each in groups)
    line: dict[str, Any] = {"variable": row["name"], "level": ""}
    for name, each in zip(names, groups, strict=True):
        line[name] = HIDDEN if each["mean"] is None else f"{each['mean']} ({each['sd']})"
    return [line | {"smd": None if hidden else digits(row["smd"], policy)}]


def _levels(row: dict, names: list[str], group: str, policy: Policy) -> Rows:
    cells: dict[Key, int] = {
        (level["level"], name): level["n"]
        for name, each in zip(names, row["groups"], strict=True)
        for level in each["levels"]
    }
    cells |= {(None, name): each["missing"] for name, each in zip(names, row["groups"], strict=True)}
    if not any(n for (level, _), n in cells.items() if level is None):
        cells = {key: n for key, n in cells.items() if key[0] is not None}
    released = protected((row["name"], group), cells, policy)
    lines = []
    for level in dict.fromkeys(key[0] for key in cells):
        texts = {name: released.cells[(level, name)].text for name in names}
        lines.append({"variable": row["name"], "level": _word(level) or "(unknown)", **texts, "smd": None})
    if not released.hidden:
        lines[0]["smd"] = digits(row["smd"], policy)
    return lines


# --- time to an event -------------------------------------------------------------------------------------------------


def km(spec: dict, result: dict, policy: Policy) -> Shown:
    """A step is shown when enough people had the event since the last one shown and enough are still at risk: a curve's
    single steps are single people. The rest is joined, the tail cut off."""
    curves, rows = [], []
    for each in result["curves"]:
        enough(each["people"], policy, each["name"])
        steps, since = [], 0
        for time, events, risk, survival, low, high in zip(
            *(each[name] for name in ("times", "events", "risk", "survival", "low", "high")), strict=True
        ):
            since += events
            if since >= policy.threshold and risk - events >= policy.threshold:
                values = {"survival": survival, "low": low, "high": high}
                steps.append({"time": time, **{name: digits(value, policy) for name, value in values.items()}})
                since = 0
        median = next((step["time"] for step in steps if step["survival"] <= 0.5), None)
        people = round_to(each["people"], policy.rounding)
        curves.append({"name": each["name"], "people": people, "median": median, "steps": steps})
        rows += [{"group": each["name"], **step} for step in steps]
    if not rows:
        raise Problem("nothing-shown", N_("Nothing of this table may be shown."))
    body = {"kind": "km", "time": result["time"], "outcome": result["outcome"], "curves": curves}
    if result["logrank"] and all(sum(each["events"]) >= policy.threshold for each in result["curves"]):
        body["logrank"] = {name: digits(result["logrank"][name], policy) for name in ("chi_square", "p")}
    return body | counts(result, policy, "people"), rows


def incidence(spec: dict, result: dict, policy: Policy) -> Shown:
    """A rate needs enough people and enough with the event (and without it)."""
    rows = []
    first = result["rows"][0]
    for each in result["rows"]:
        hidden = min(each["people"] - each["events"], each["events"]) < policy.threshold
        against = hidden or min(first["people"] - first["events"], first["events"]) < policy.threshold
        row: dict[str, Any] = {"group": each["name"], "people": _count(each["people"], policy)}
        row |= {"events": HIDDEN if hidden else round_to(each["events"], policy.rounding)}
        row |= {name: None if hidden else digits(each[name], policy) for name in ("rate", "low", "high")}
        row |= {name: None if against else digits(each[name], policy) for name in ("ratio", "ratio_low", "ratio_high")}
        rows.append(row)
    if all(row["rate"] is None for row in rows):
        raise Problem("nothing-shown", N_("Nothing of this table may be shown."))
    body = {"kind": "incidence", "outcome": result["outcome"], "per": result["per"], "group": result["group"]}
    return body | counts(result, policy, "people") | {"rows": rows}, rows


def propensity(spec: dict, result: dict, policy: Policy) -> Shown:
    for arm in result["arms"]:
        enough(min(arm["used"], int(arm["effective"])), policy, arm["name"])
    _freedom(result["people"], len(result["balance"]) + 1, policy)
    sides = ("smd_before", "smd_after")
    balance = [
        {"name": each["name"], **{side: digits(each[side], policy) for side in sides}} for each in result["balance"]
    ]
    effect = {name: digits(result[name], policy) for name in ("difference", "se", "low", "high", "p", "ratio")}
    arms = [
        {"name": arm["name"], "mean": digits(arm["mean"], policy), **counts(arm, policy, "people", "used")}
        for arm in result["arms"]
    ]
    about = {name: result[name] for name in ("kind", "treatment", "outcome", "use", "estimand")}
    body = about | counts(result, policy, "people") | effect | {"arms": arms, "balance": balance}
    return body, [*balance, {"name": "effect", **effect}]


SHOWN: dict[str, Callable[[dict, dict, Policy], Shown]] = {
    **dict.fromkeys(("linear", "logistic", "poisson", "cox"), model),
    **dict.fromkeys(("ttest", "anova"), means),
    "characterise": characterise, "correlation": correlation, "crosstab": crosstab, "describe": describe,
    "histogram": histogram, "incidence": incidence, "km": km, "kmeans": kmeans, "pathways": pathways, "pca": pca,
    "propensity": propensity, "quantiles": quantiles,
}  # fmt: skip
