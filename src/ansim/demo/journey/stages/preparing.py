"""Stage 8: each linked holder extracts exactly the agreed scope, pseudonymises it, and has it judged by two people."""

import re
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ansim.demo.journey import drawing, study
from ansim.demo.journey.promises import code_of, until
from ansim.demo.journey.stolen_hub import StolenHub, last_entry, refusals
from ansim.demo.journey.world import Journey, Stage
from ansim.research.cohort import compile as cohorts
from ansim.research.cohort.query import parse
from ansim.sites.centre import joining

PAIRS = "pairs"  # what the hub carries from the key agency to the centre
DONE = ("leaving", "sent")
DIRECT = {"person_source_value", "birth_datetime", "provider_id", "location_id"}


def prepare(journey: Journey) -> str:
    """The member asks with a signed job; operators make the extracts; reviewers sign their decisions."""
    agreement = journey.facts["agreement"]
    StolenHub(journey.nation).listen(PAIRS, study.KEY_AGENCY, study.CENTRE)  # sealed; the next stage scores them
    job = journey.researcher.do(f"/agreements/{agreement}/extract/", area=study.AREA, holders=list(study.LINKED))["id"]
    journey.facts["extract-job"] = job
    people = {}
    for holder in study.LINKED:
        journey.tell(f"{holder}: extract")
        key = until(partial(_of_job, journey, holder, job), 180, f"the job at {holder}")["id"]
        journey.facts.setdefault("extracts", {})[holder] = key
        journey.at(holder, "operator").do(f"/extracts/{key}/run/")
    for holder in study.LINKED:
        key = journey.facts["extracts"][holder]
        made = until(partial(_made, journey, holder, key), 300, f"the extract of {holder}")
        journey.tell(f"{holder}: adequacy review")
        _judged(journey, holder, key, made)
        people[holder] = made["after"]["people"]
    for holder in study.LINKED:
        key = journey.facts["extracts"][holder]
        sent = until(partial(_in_state, journey, holder, key, "sent"), 300, f"the extract of {holder} being sent")
        journey.promise(
            f"{holder}: a risk report is issued with it", bool(_paper(journey, holder, key)), sent["status"]
        )
    told = ", ".join(f"{holder} {count}" for holder, count in people.items())
    return f"three operators made extracts ({told} people), two reviewers each found them adequate"


def _paper(journey: Journey, holder: str, key: str) -> bool:
    return journey.at(holder, "reviewer1").file(f"/extracts/{key}/risk-report.pdf").startswith(b"%PDF")


def _of_job(journey: Journey, holder: str, job: str) -> dict:
    listed = journey.at(holder, "operator").get("/extracts/")["extracts"]
    return next((each for each in listed if each["job"] == job), {})


def _in_state(journey: Journey, holder: str, key: str, *states: str) -> dict:
    page = journey.at(holder, "operator").get(f"/extracts/{key}/")
    return page if page["status"] in states else {}


def _made(journey: Journey, holder: str, key: str) -> dict:
    page = journey.at(holder, "operator").get(f"/extracts/{key}/")
    if page["status"] in {"failed", "blocked", "stopped"}:
        raise RuntimeError(f"{holder}: {page['status']}: {page['problem']}")
    return page if page["status"] == "in review" else {}


def _judged(journey: Journey, holder: str, key: str, made: dict) -> None:
    """Nobody judges the own extract; as many decide as the tier asks; each names plan and data version."""
    _scope(journey, holder, key, made)
    operator = journey.at(holder, "operator")
    entry = last_entry(journey.nation, holder)
    code = code_of(lambda: operator.do(f"/extracts/{key}/approve/", decision="adequate", reason="own work"))
    noted = [each for each in refusals(journey.nation, holder, entry) if each.get("reason") == "roles-not-apart"]
    facts = {"code": code, "noted": [each["by"] for each in noted]}
    journey.facts.setdefault("own-extract", {})[holder] = facts
    journey.promise(
        f"{holder}: the operator cannot approve the own extract, and the attempt is on the ledger",
        facts == {"code": "roles-not-apart", "noted": [operator.name]},
        facts,
    )
    needed = made["review"]["reviewers_needed"]
    tier = journey.facts["tiers"][holder]
    journey.promise(
        f"{holder}: the tier ({tier['level']}) asks for {needed} reviewers", needed == tier["reviewers"] >= 2
    )
    reason = "k and uniqueness are within the plan"
    for number in range(1, needed + 1):
        before = until(partial(_in_state, journey, holder, key, "in review"), 60, "the review")
        journey.promise(f"{holder}: {number - 1} decisions are not enough", before["status"] == "in review")
        reviewer = journey.at(holder, f"reviewer{number}")
        reviewer.do(f"/extracts/{key}/approve/", decision="adequate", reason=reason, present=tier["in_person"])
    done = until(partial(_in_state, journey, holder, key, *DONE), 120, f"{holder}: the decision")
    journey.promise(
        f"{holder}: {needed} reviewers, none of them the operator, signed over plan and data version",
        len(done["review"]["decisions"]) == needed
        and operator.name not in done["review"]["decisions"]
        and done["review"]["plan"] == made["plan"]
        and done["review"]["data_version"] == made["plan_document"]["data_version"],
        done["review"]["decisions"],
    )


def _scope(journey: Journey, holder: str, key: str, made: dict) -> None:
    """Exactly the agreed people, tables and columns: compared with the holder's own CDM, read here directly."""
    with duckdb.connect(str(journey.folder(holder) / "cdm.duckdb"), read_only=True) as con:
        cohort = cohorts.cohort(con, parse(study.QUERY)).num_rows
    left, suppressed = made["after"]["people"], made["risk"]["suppressed"]
    journey.promise(f"{holder}: the people are the agreed cohort, less those held back for their rarity",
        left + suppressed == cohort, f"{left} + {suppressed} of {cohort}")  # fmt: skip
    plan = made["plan_document"]
    _drawn(journey, holder, made, plan["policy"]["k"])
    events = {spec["event"] for spec in plan["tables"].values() if spec["event"]}
    agreed = {study.QUERY["cohort"]["entry"]["event"]}
    agreed |= {variable["event"] for variable in study.QUERY["variables"] if variable.get("event")}
    journey.promise(f"{holder}: no event of another kind than agreed", events == agreed, sorted(events))
    risk = made["risk"]
    reported = {"k", "uniques"} <= set(risk["after"]) and risk["after"]["k"] >= plan["policy"]["k"]
    journey.promise(
        f"{holder}: the risk report names k and uniqueness, and k is as the plan asks", reported, risk["after"]["k"]
    )
    _rows(journey, holder, journey.folder(holder) / "extracts" / key)


def _drawn(journey: Journey, holder: str, made: dict, k: int) -> None:
    for words, side in (("가명처리 전", "before"), ("가명처리 후", "after")):
        svg = drawing.group_sizes(f"{holder}: {words} 동질집단 크기", made[side]["sizes"], k)
        journey.figure(f"{holder}: {words} 동질집단 크기", f"{holder}: group sizes {side} pseudonymisation", svg)


def _rows(journey: Journey, holder: str, folder: Path) -> None:
    """In the written files: pseudonyms instead of people, agreed concepts only, no column that names anybody."""
    agreed = {study.VIRAL_SINUSITIS, study.CHRONIC_SINUSITIS, study.AMOXICILLIN_CLAVULANATE, study.NAPROXEN}
    concepts: set[int] = set()
    for table, column in (("condition_occurrence", "condition_concept_id"), ("drug_exposure", "drug_concept_id")):
        concepts |= set(pq.read_table(folder / f"{table}.parquet", columns=[column])[column].to_pylist())
    journey.promise(f"{holder}: the files hold the agreed concepts and no other", concepts <= agreed, sorted(concepts))
    named = {column for file in folder.glob("*.parquet") for column in pq.read_schema(file).names} & DIRECT
    journey.promise(f"{holder}: no column that names a person is in them", not named, sorted(named))
    own = _own_birthdays(folder)
    journey.promise(f"{holder}: births say the age on entry and nothing of their own", own == 0, own)
    tokens = pq.read_table(folder / "person.parquet", columns=["person_id"])["person_id"].to_pylist()
    sound = all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)
    journey.promise(f"{holder}: every person is a pseudonym", tokens and sound, len(tokens))
    journey.facts.setdefault("pseudonyms", {})[holder] = tokens
    # The holder deletes the files once they are sent; the next stage compares what becomes of these values.
    pq.write_table(joining.own_frame(folder, study.QUERY), journey.kept(f"{holder}.parquet"))


def _own_birthdays(folder: Path) -> int:
    """People whose birth in the extract is not their (shifted) entry date whole years before (decision 0007)."""
    with duckdb.connect() as con:
        birth = "make_date(year_of_birth, month_of_birth, day_of_birth)"
        found = con.execute(
            "SELECT count(*) FROM read_parquet(?) JOIN read_parquet(?) USING (person_id)"
            f" WHERE {birth} + to_years((year(start_date) - year_of_birth)::INT) <> start_date"
            " AND strftime(start_date, '%m-%d') <> '02-29'",
            [str(folder / "person.parquet"), str(folder / "cohort.parquet")],
        ).fetchone()
    return found[0] if found else -1


PREPARE = Stage(8, "준비", "Prepare", prepare)
