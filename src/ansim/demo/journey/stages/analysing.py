"""Stage 10: the researcher's script in the closed room, and the federated table and regression over three hospitals."""

from functools import partial

import duckdb
import pyarrow as pa

from ansim.demo.journey import scripts, study
from ansim.demo.journey.promises import until
from ansim.demo.journey.world import Journey, Stage
from ansim.research.cohort import compile as cohorts
from ansim.research.cohort.query import parse

FEDERATED = {"table": study.table(), "logistic": study.MODEL}
ENDED = {"done", "failed", "timeout", "cancelled", "refused"}


def analyse(journey: Journey) -> str:
    """Both ways at once: rounds go to the hospitals while the script runs."""
    key = journey.facts["agreement"]
    asked = {}
    for method, spec in FEDERATED.items():
        asked[method] = journey.researcher.do(
            f"/agreements/{key}/federated/", area=study.AREA, method=method, spec=spec, holders=list(study.HOSPITALS)
        )["id"]
    journey.facts["federated"] = asked
    journey.tell("the script runs in the closed room")
    run = script(journey, scripts.ANALYSIS, "Chronic sinusitis by age and sex")
    journey.facts["run"] = run["id"]
    made = {file["name"] for file in run["files"]}
    journey.promise(
        "the script ran with pandas and made a table and a plot",
        {"table.csv", "figure.png"} <= made,
        run["stderr"][-800:],
    )
    sealed = run["isolation"].get("userns") and run["isolation"].get("seccomp")
    journey.promise("it ran in bubblewrap with a system-call filter", sealed, run["isolation"])
    tried = script(journey, scripts.NETWORK, "Calling home")
    journey.promise(
        "there is no network in the room",
        "CONNECTED" not in tried["stdout"] and "no network" in tried["stdout"],
        tried["stdout"],
    )
    rounds = {}
    for method, job in asked.items():
        journey.tell(f"federated {method}")
        found = until(partial(_combined, journey, job), 400, f"the federated {method}")
        rounds[method] = found["rounds"]
        journey.facts.setdefault("outputs", {})[method] = found["output"]
        answered = set(found["holders"]) == set(study.HOSPITALS)
        journey.promise(
            f"federated {method}: all three hospitals took part, and no other holder", answered, found["holders"]
        )
        journey.promise(f"federated {method}: nothing is shown before the output check", found["result"] is None)
    _no_rows(journey)
    counted = f"federated table in {rounds['table']} round, regression in {rounds['logistic']}"
    return f"a script with a plot ran in the sandbox; {counted}"


def script(journey: Journey, text: str, title: str) -> dict:
    """Run a script in the workspace and wait for its end."""
    place = f"/workspaces/{journey.facts['agreement']}/runs/"
    member = journey.person("researcher", study.CENTRE)
    run = member.do(place, script=text, title=title)["run"]

    def ended() -> dict:
        page = member.get(f"{place}{run}/")
        return page if page["status"] in ENDED else {}

    found = until(ended, 400, f"the end of the script “{title}”")
    return found


def _combined(journey: Journey, job: str) -> dict:
    page = journey.person("checker1", study.CENTRE).get(f"/federated/{job}/")
    if page["status"] == "failed":
        raise RuntimeError(page["message"])
    return page if page["status"] not in {"running", "finishing"} else {}


def pooled(journey: Journey) -> pa.Table:
    """The agreed frame over all three hospitals' data in one place, as no site ever has it: for comparison only."""
    frames = []
    for holder in study.HOSPITALS:
        with duckdb.connect(str(journey.folder(holder) / "cdm.duckdb"), read_only=True) as con:
            frame = cohorts.frame(con, parse(study.QUERY))
        names = pa.array([f"{holder}-{person}" for person in frame["person_id"].to_pylist()])
        frames.append(frame.set_column(frame.schema.get_field_index("person_id"), "person_id", names))
    return pa.concat_tables(frames)


def _no_rows(journey: Journey) -> None:
    """Hospital A took part in the federated analyses only: none of its people stands anywhere at the centre."""
    from ansim.demo.journey.stored import found_many

    with duckdb.connect(str(journey.folder("hospital-a") / "cdm.duckdb"), read_only=True) as con:
        sources = [
            row[0] for row in con.execute("SELECT person_source_value FROM person LIMIT 500").fetchall() if row[0]
        ]
    key = journey.facts["agreement"]
    with journey.unsealed(key) as space:
        traces = found_many(journey.folder(study.CENTRE), sources, leave_out=["packages"]) | found_many(space, sources)
    received = journey.folder(study.CENTRE) / "workspaces" / key / "received" / "hospital-a"
    journey.promise("no row of hospital A reached the centre", not traces and not received.exists(), list(traces)[:5])


ANALYSE = Stage(10, "분석", "Analyse", analyse)
