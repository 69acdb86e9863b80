"""Federated results as files that may leave: pooled tables protected, models checked, nothing in between kept."""

import csv
import io
import itertools
import json
from collections.abc import Mapping
from typing import Any

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import protect_counts, round_to
from ansim.privacy.disclosure.rules import model_rules
from ansim.privacy.disclosure.table import TOTAL, Key, TableSpec
from ansim.research.analysis import figures, specification
from ansim.sites.centre import tables


def files(
    data: dict, holders: list[str], result: dict, groups: dict | None, policy: Policy
) -> tuple[dict[str, bytes], list[dict]]:
    """({name: content}, findings) of a finished run. Raises Problem when nothing of it may leave."""
    made = {"table": _table, "logistic": _logistic}[data["method"]](data["spec"], result, groups or {}, policy)
    body, table, svg, notes = made
    document = {
        "ansim": "result/1",
        "run": data["id"],
        "agreement": data["agreement"],
        "method": data["method"],
        "query": data["query"],
        "spec": data["spec"],
        "holders": holders,
        "rounds": data["round"],
        **body,
    }
    content = {"result.json": json.dumps(document, ensure_ascii=False, indent=1).encode(), "result.csv": table}
    if svg:
        content["figure.svg"] = svg.encode()
    first = {
        "file": "result.json",
        "level": "note",
        "code": "pooled",
        "place": "",
        "message": "holders: " + ", ".join(holders),
    }
    return content, [first, *notes]


def pooled_counts(spec: TableSpec, result: dict) -> dict[Key, int]:
    """Counts of people in every cell and margin, from the combined cells; a share's flag is one more dimension."""
    counts: dict[Key, int] = {}
    for cell in result["cells"]:
        key = (*cell["row"], *cell["column"])
        if spec.kind == "share":
            yes = int(cell["numerator"])
            split = {(*key, True): yes, (*key, False): cell["people"] - yes}
            split |= {(*key, None): cell["missing"]} if cell["missing"] else {}
        else:
            split = {key: cell["people"]}
        for one, people in split.items():
            for summed in itertools.product((False, True), repeat=len(one)):
                place = tuple(TOTAL if whole else part for part, whole in zip(one, summed, strict=True))
                counts[place] = counts.get(place, 0) + people
    return counts


def _table(given: dict, result: dict, groups: dict, policy: Policy) -> tuple[dict, bytes, str, list[dict]]:
    spec = tables.specification(given)
    released = protect_counts(pooled_counts(spec, result), spec, policy)
    if released.refused:
        raise Problem("nothing-shown", N_("Nothing of this table may be shown."))
    hidden = len(released.hidden)
    notes = [
        {"file": "result.csv", "level": "note", "code": rule, "place": "", "message": rule}
        for rule in dict.fromkeys(finding.rule for finding in released.findings)
    ]
    return {"table": released.as_data(reasons=False), "hidden": hidden}, tables.written(released), "", notes


def groups(method: str, spec: dict, sums: list[dict]) -> dict | None:
    """The smallest groups of people that a model's terms set apart, from the first round's pooled sums.

    At coefficients zero every weight is 1/4 and every expectation 1/2, so the information holds a quarter of the
    counts and the gradient what is above half the cases: for a column of 0 and 1 both follow exactly. A column is
    taken for 0/1 when its sum equals its sum of squares. Such a column with the outcome is a table of four cells,
    which coefficients and standard errors give away: each of the four counts.
    """
    if method != "logistic":
        return None
    names = specification.model(spec).names
    people, cases = (sum(part[name] for part in sums) for name in ("people", "cases"))
    total = [4 * sum(part["information"][0][index] for part in sums) for index in range(len(names))]
    square = [4 * sum(part["information"][index][index] for part in sums) for index in range(len(names))]
    gradient = [sum(part["gradient"][index] for part in sums) for index in range(len(names))]
    found = {"(outcome)": [cases, people - cases]}
    for index, name in enumerate(names[1:], start=1):
        if abs(total[index] - square[index]) < 1e-6 * max(1.0, people):
            having, both = round(total[index]), round(gradient[index] + total[index] / 2)
            found[name] = [both, having - both, cases - both, people - having - (cases - both)]
    return found


def _logistic(
    spec: dict, result: dict, groups: Mapping[str, list[int]], policy: Policy
) -> tuple[dict, bytes, str, list[dict]]:
    """Coefficients in full precision; the counts rounded; likelihoods stay here, for they give the counts away."""
    smallest = min(min(parts) for parts in groups.values())
    found = model_rules(result["people"], len(result["terms"]), smallest, policy)
    if found:
        raise found[0].problem()
    counts = {name: round_to(result[name], policy.rounding) for name in ("people", "cases")}
    shown = {"kind": "logistic", "outcome": result["outcome"], **counts, "terms": result["terms"]}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ["name", "coefficient", "se", "z", "p", "odds_ratio", "low", "high"]
    writer.writerow(["term", *columns[1:]])
    writer.writerows(
        [[term[name] if name == "name" else repr(term[name]) for name in columns] for term in result["terms"]]
    )
    notes: list[dict[str, Any]] = [
        {
            "file": "result.json",
            "level": "look",
            "code": "model",
            "place": "",
            "message": N_("A model's residuals and subsets cannot be seen by the machine."),
        }
    ]
    return {"model": shown}, out.getvalue().encode(), figures.forest(shown, "ko"), notes
