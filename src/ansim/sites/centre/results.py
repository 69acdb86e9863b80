"""Federated results as files that may leave: pooled tables protected, models checked, nothing in between kept."""

import csv
import io
import itertools
import json
from typing import Any

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import as_csv, protect_counts
from ansim.privacy.disclosure.table import TOTAL, Key, TableSpec
from ansim.research.analysis import plots
from ansim.sites.centre import released, tables


def files(data: dict, holders: list[str], result: dict, policy: Policy) -> tuple[dict[str, bytes], list[dict]]:
    """({name: content}, findings) of a finished run. Raises Problem when nothing of it may leave."""
    if data["method"] == "table":
        body, table, notes = _table(data["spec"], result, policy)
    else:
        body, table, notes = _shown(data["method"], data["spec"], result, policy)
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
    if drawn := plots.draw(body, "ko"):
        content["figure.svg"] = drawn.encode()
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


def _table(given: dict, result: dict, policy: Policy) -> tuple[dict, bytes, list[dict]]:
    spec = tables.specification(given)
    made = protect_counts(pooled_counts(spec, result), spec, policy)
    if made.refused:
        raise Problem("nothing-shown", N_("Nothing of this table may be shown."))
    hidden = len(made.hidden)
    notes = [
        {"file": "result.csv", "level": "note", "code": rule, "place": "", "message": rule}
        for rule in dict.fromkeys(finding.rule for finding in made.findings)
    ]
    return {"table": made.as_data(reasons=False), "hidden": hidden}, as_csv(made), notes


def _shown(method: str, spec: dict, result: dict, policy: Policy) -> tuple[dict, bytes, list[dict]]:
    """Models keep their place under "model"; every other method stands under "shown"."""
    body, rows = released.SHOWN[method](spec, result, policy)
    model = "terms" in body
    notes: list[dict[str, Any]] = []
    if model:
        message = N_("A model's residuals and subsets cannot be seen by the machine.")
        notes.append({"file": "result.json", "level": "look", "code": "model", "place": "", "message": message})
    return {"model": body} if model else {"shown": body, "rows": rows}, _csv(rows), notes


def _csv(rows: list[dict]) -> bytes:
    out = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(name)) for name in columns] for row in rows])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
