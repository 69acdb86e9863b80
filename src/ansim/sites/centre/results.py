"""Federated results as files that may leave: pooled tables protected, models checked, nothing in between kept."""

import csv
import io
import itertools
import json
from typing import Any

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import as_csv, protect_counts, round_to
from ansim.privacy.disclosure.rules import model_rules
from ansim.privacy.disclosure.table import TOTAL, Key, TableSpec
from ansim.research.analysis import figures
from ansim.sites.centre import tables


def files(data: dict, holders: list[str], result: dict, policy: Policy) -> tuple[dict[str, bytes], list[dict]]:
    """({name: content}, findings) of a finished run. Raises Problem when nothing of it may leave."""
    made = {"table": _table, "logistic": _logistic}[data["method"]](data["spec"], result, policy)
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


def _table(given: dict, result: dict, policy: Policy) -> tuple[dict, bytes, str, list[dict]]:
    spec = tables.specification(given)
    released = protect_counts(pooled_counts(spec, result), spec, policy)
    if released.refused:
        raise Problem("nothing-shown", N_("Nothing of this table may be shown."))
    hidden = len(released.hidden)
    notes = [
        {"file": "result.csv", "level": "note", "code": rule, "place": "", "message": rule}
        for rule in dict.fromkeys(finding.rule for finding in released.findings)
    ]
    return {"table": released.as_data(reasons=False), "hidden": hidden}, as_csv(released), "", notes


def groups(result: dict) -> list[int]:
    """Sizes of the groups of people that a model's columns of 0 and 1 set apart, each by the outcome.

    Such a column with the outcome is a table of four cells, which coefficients and standard errors give away.
    """
    about, people = result["about"], result["people"]
    cases = about["cases"]
    found = [cases, people - cases]
    for having, both, other in zip(about["having"], about["both"], about["other"], strict=True):
        if having < people and not other:
            found += [both, having - both, cases - both, people - having - (cases - both)]
    return found


def _logistic(spec: dict, result: dict, policy: Policy) -> tuple[dict, bytes, str, list[dict]]:
    """Coefficients in full precision; the counts rounded; likelihoods stay here, for they give the counts away."""
    found = model_rules(result["people"], len(result["terms"]), min(groups(result)), policy)
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
