"""Stages 11 and 12: what may leave is checked by the centre itself and by two people; the rest is refused by cell."""

import hashlib
import itertools
import json
from functools import partial

from ansim.demo.journey import drawing, scripts, study
from ansim.demo.journey.promises import code_of, until
from ansim.demo.journey.stages.analysing import pooled, script
from ansim.demo.journey.world import Journey, Stage
from ansim.demo.nation import POLICY
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import protect_counts
from ansim.privacy.disclosure.table import TOTAL
from ansim.research.analysis import methods

CRITERIA = {"related": True, "not_identifiable": True, "safety_plan": True, "reason": "aggregates as agreed"}
AGES = {
    **study.table(),
    "rows": ["age", "sex"],
    "columns": ["naproxen_before", "amoxiclav_before"],
    "title": {"ko": "나이별", "en": "By age"},
}
FEWER = study.table({"naproxen_before": False})


def check(journey: Journey) -> str:
    """The raw table is refused, its protected version goes; federated results go; what was planted is refused."""
    checker = journey.person("checker1", study.CENTRE)
    raw = submit(journey, journey.facts["run"], ["table.csv", "figure.png"], {"table.csv": study.table()})
    page = settled(journey, raw)
    journey.promise(
        "the raw table is not released: small cells, named one by one", page["status"] == "refused", page["status"]
    )
    safe = journey.person("researcher", study.CENTRE).do(f"/outputs/{raw}/safe/")["id"]
    page = until(partial(_in_state, journey, safe, "checking", "refused"), 200, "the check of the safe version")
    table = page["reports"].get("table.csv", {})
    told = [each["code"] for each in page["findings"] if each["file"] == "table.csv"]
    journey.promise(
        "the good table is machine-checked: made again by the centre and equal",
        table.get("equal") and told == ["machine-checked"],
        told,
    )
    plot = [each["code"] for each in page["findings"] if each["file"] == "figure.png"]
    journey.promise("the plot is “people unknown” and takes the full human route", "people-unknown" in plot, plot)
    _two_checkers(journey, safe)
    exporter = journey.person("exporter", study.CENTRE)
    early = checker.get(f"/outputs/{safe}/")["status"]
    journey.promise("linked results also wait for the export review", early == "agreed", early)
    exporter.do(f"/outputs/{safe}/export/", **CRITERIA)
    journey.facts["outputs"]["linked"] = safe
    for method in ("table", "logistic"):
        _two_checkers(journey, journey.facts["outputs"][method])
    for name in journey.facts["outputs"].values():
        until(partial(_in_state, journey, name, "released"), 300, f"the release of {name}")
    refused = _planted(journey)
    return f"two checkers released three outputs; {refused} planted files were refused with the reason per cell"


def submit(journey: Journey, run: str, files: list[str], tables: dict) -> str:
    """The researcher asks for files of a run to leave."""
    return journey.person("researcher", study.CENTRE).do(
        f"/workspaces/{journey.facts['agreement']}/outputs/", run=run, files=files, tables=tables, context="paper"
    )["id"]


def _in_state(journey: Journey, name: str, *states: str) -> dict:
    page = journey.person("checker1", study.CENTRE).get(f"/outputs/{name}/")
    return page if page["status"] in states else {}


def settled(journey: Journey, name: str) -> dict:
    """The page after the machine has looked."""
    return until(partial(_in_state, journey, name, "checking", "refused", "released"), 200, f"the check of {name}")


def _two_checkers(journey: Journey, name: str) -> None:
    """Two people who are not the author, each without knowing what the other said."""
    first, second = (journey.person(who, study.CENTRE) for who in ("checker1", "checker2"))
    author = journey.person("researcher", study.CENTRE)
    code = code_of(lambda: author.do(f"/outputs/{name}/review/", decision="release", reason="mine"))
    journey.promise(f"{name}: the author cannot check it", code, code)
    until(partial(_in_state, journey, name, "checking"), 120, f"the check of {name}")
    first.do(f"/outputs/{name}/review/", decision="release", reason="looked at each file")
    seen = second.get(f"/outputs/{name}/")
    journey.promise(
        f"{name}: the second checker does not see the first one's view",
        not seen["views"] and seen["views_in"] == 1,
        seen["views"],
    )
    code = code_of(lambda: first.do(f"/outputs/{name}/review/", decision="release", reason="again"))
    journey.promise(f"{name}: nobody checks twice", code, code)
    second.do(f"/outputs/{name}/review/", decision="release", reason="looked at each file")


def _planted(journey: Journey) -> int:
    """Each in a request of its own, so that each has its own reason."""
    run = script(journey, scripts.PLANTED, "More tables")
    if run["status"] != "done":
        raise RuntimeError(run["stderr"][-1500:])
    cases = {
        "small.csv": (study.table(), "a small cell"),
        "twelve.csv": (AGES, "counts that look safe but rest on 12 rows of one person"),
        "differs.csv": (FEWER, "a table that differs from an earlier release by few people"),
        "rows.csv": (None, "raw rows"),
    }
    for file, (spec, what) in cases.items():
        journey.tell(f"planted: {what}")
        name = submit(journey, run["id"], [file], {file: spec} if spec else {})
        page = settled(journey, name)
        found = [each for each in page["findings"] if each["level"] == "refuse"]
        places = [f"{each.get('place') or each['file']}: {each['message']}" for each in found]
        journey.promise(f"{what}: refused", page["status"] == "refused", page["status"])
        journey.promise(
            f"{what}: with the reason per cell or column",
            found and all(each.get("place") for each in found),
            places[:6],
        )
        _reason(journey, file, found)
        journey.facts.setdefault("planted", {})[file] = places[:3]
    _unknown(journey, run["id"])
    return len(cases)


def _reason(journey: Journey, file: str, found: list[dict]) -> None:
    """The reason is the right one, not just any."""
    rules = {rule for each in found for rule in each.get("rules", [])}
    codes = {each["code"] for each in found}
    if file == "small.csv":
        journey.promise("… because cells are small", "small-cell" in rules, sorted(rules))
    elif file == "twelve.csv":
        shown = [each for each in found if each.get("shown") == "12"]
        least = f"<{POLICY['threshold']}"
        journey.promise(
            f"… because the 12 are fewer than {POLICY['threshold']} people",
            shown and shown[0]["allowed"] == least,
            shown or found,
        )
    elif file == "differs.csv":
        journey.promise("… because of what was released before", any("differ" in rule for rule in rules), sorted(rules))
    else:
        journey.promise(
            "… because its columns tell people apart",
            {"identifying-column", "pseudonyms", "rows-of-people"} & codes,
            sorted(codes),
        )


def _unknown(journey: Journey, run: str) -> None:
    """Without a specification the 12 rows are not machine-checked: people decide, and refuse."""
    name = submit(journey, run, ["twelve.csv"], {})
    page = settled(journey, name)
    codes = {each["code"] for each in page["findings"]}
    journey.promise(
        "without a specification nothing counts as machine-checked", "machine-checked" not in codes, sorted(codes)
    )
    if page["status"] == "checking":
        for who in ("checker1", "checker2"):
            reason = "nobody can say how many people stand behind the 12"
            journey.person(who, study.CENTRE).do(f"/outputs/{name}/review/", decision="refuse", reason=reason)
    page = until(partial(_in_state, journey, name, "refused"), 60, "the checkers' refusal")
    journey.promise("and the checkers refuse it", page["status"] == "refused")


def release(journey: Journey) -> str:
    """The files at the desk are what the manifest names; ledger and register have the releases."""
    desk, counted = journey.researcher, 0
    outputs = journey.facts["outputs"]
    until(lambda: set(outputs.values()) <= set(desk.get("/releases/")["releases"]), 300, "the releases at the desk")
    bodies: dict[str, dict[str, bytes]] = {}
    for kind, name in outputs.items():
        manifest = desk.get(f"/releases/{name}/")["release"]["manifest"]
        bodies[kind] = {}
        for file in manifest["files"]:
            bodies[kind][file["name"]] = body = desk.file(f"/releases/{name}/files/{file['name']}")
            counted += 1
            if hashlib.sha256(body).hexdigest() != file["sha256"]:
                journey.promise(f"{name}/{file['name']}: as the manifest says", False)
        journey.promise(f"{kind}: every file has the hash that the manifest names", bodies[kind], sorted(bodies[kind]))
    register = journey.person("coordinator", study.HUB)
    listed = until(
        lambda: _registered(register.get("/register/"), set(outputs.values())), 200, "the releases in the register"
    )
    journey.promise("the public register has every release", set(outputs.values()) <= listed)
    noted = _on_ledger(journey)
    journey.promise("every release is on the centre's ledger", set(outputs.values()) <= noted, sorted(noted))
    _equal_table(journey, json.loads(bodies["table"]["result.json"]))
    _equal_model(journey, json.loads(bodies["logistic"]["result.json"]))
    _figures(journey, json.loads(bodies["table"]["result.json"]), json.loads(bodies["logistic"]["result.json"]))
    return f"김연구 has {counted} files of {len(outputs)} releases, each with its hash; ledger and register have them"


def _registered(page: dict, wanted: set[str]) -> set[str]:
    listed = {entry["id"] for entry in page["entries"] if entry["kind"] == "release"}
    return listed if wanted <= listed else set()


def _on_ledger(journey: Journey) -> set[str]:
    import sqlite3

    with sqlite3.connect(f"file:{journey.folder(study.CENTRE)}/site.sqlite3?mode=ro", uri=True) as con:
        rows = con.execute("SELECT data FROM ledger_event WHERE type = 'release.sent'").fetchall()
    con.close()
    return {json.loads(text)["output"] for (text,) in rows}


def _equal_table(journey: Journey, result: dict) -> None:
    """The same rules on the pooled table, counted here by hand from the three CDM files."""
    counts: dict[tuple, int] = {}
    rows = pooled(journey).select(["age_band", "sex"]).to_pylist()
    for row in rows:
        key = (row["age_band"], row["sex"])
        for summed in itertools.product((False, True), repeat=2):
            place = tuple(TOTAL if whole else part for part, whole in zip(key, summed, strict=True))
            counts[place] = counts.get(place, 0) + 1
    from ansim.sites.centre.tables import specification

    expected = protect_counts(counts, specification(study.table()), Policy.from_data(POLICY))
    wanted = {tuple(map(str, key)): cell.text for key, cell in expected.cells.items()}
    got = {tuple(map(str, cell["key"])): cell["text"] for cell in result["table"]["cells"]}
    differing = {key: (got.get(key), text) for key, text in wanted.items() if got.get(key) != text}
    journey.promise("the released table equals the same rules on the pooled table", got == wanted, differing)


def _equal_model(journey: Journey, result: dict) -> None:
    """Coefficients, standard errors and intervals against the fit of the pooled rows."""
    expected = methods.run("logistic", [pooled(journey)], study.MODEL)
    largest = max(
        abs(one[part] - other[part]) / max(1.0, abs(other[part]))
        for one, other in zip(result["model"]["terms"], expected["terms"], strict=True)
        for part in ("coefficient", "se", "z", "p", "odds_ratio", "low", "high")
    )
    journey.facts["largest-difference"] = largest
    journey.promise("the federated regression equals the pooled one to 1e-8", largest < 1e-8, f"{largest:.1e}")


def _figures(journey: Journey, table: dict, model: dict) -> None:
    """What was released, drawn."""
    journey.figure("연령대와 성별 환자 수 (반출본)", "People by age band and sex, as released", drawing.table(table))
    journey.figure("연합 로지스틱 회귀", "Federated logistic regression", drawing.forest(model["model"]))


CHECK = Stage(11, "결과물 점검", "Output check", check)
RELEASE = Stage(12, "반출", "Release", release)
