"""Attacks on the living nation. Each must fail, with its reason on the ledger of the site that was attacked.

That each can fail for its own defence only is shown by the positive controls in `tests/attacks`, where the same attack
succeeds once that one defence is off.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import httpx

from ansim.data.cdm import open_cdm
from ansim.demo.journey import study
from ansim.demo.journey.client import Refused, patiently
from ansim.demo.journey.promises import Overdue, Promise, until
from ansim.demo.journey.stages.agreeing import FINAL, signed_by_all
from ansim.demo.journey.stolen_hub import StolenHub, last_entry, refusals
from ansim.demo.journey.world import Journey
from ansim.sites.exchange import signed

PATIENCE = 60
FLOOD = 80  # questions; a requester's daily budget is smaller
MEMBERS = f"members:{study.DESK}"
LEAVER, LEAVER_ID = "researcher2", f"researcher2@{study.DESK}"


def attacks(journey: Journey) -> list[Promise]:
    """Play every attack; gives what was promised of each."""
    hub = StolenHub(journey.nation)
    played: list[Callable[[Journey, StolenHub], Promise]] = [
        alter_a_dataset,
        swap_a_key,
        add_a_member,
        speak_as_a_hospital,
        pose_as_a_member,
        use_live_sessions,
        replay_an_envelope,
        another_area,
        more_variables,
        one_person_apart,
        flood_feasibility,
        operator_alone,
        replay_version_1,
        removed_member,
        withhold_a_removal,
        suspended_centre,
    ]
    found = []
    for attack in played:
        journey.tell(f"attack: {(attack.__doc__ or '').splitlines()[0]}")
        try:
            found.append(attack(journey, hub))
        except (Overdue, Refused, httpx.HTTPError, KeyError, IndexError) as error:
            found.append(Promise((attack.__doc__ or "").splitlines()[0], False, f"could not be judged: {error!r}"))
    return found


def _promise(attack: Callable, held: object, detail: object = "") -> Promise:
    return Promise((attack.__doc__ or "").splitlines()[0], bool(held), str(detail)[:400])


def _refused(journey: Journey, site: str, after: int, fits: Callable[[dict], Any], what: str) -> dict:
    """The refusal that a site's ledger shows since an entry."""
    return until(lambda: next((e for e in refusals(journey.nation, site, after) if fits(e)), {}), PATIENCE, what)


def alter_a_dataset(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: an altered dataset page is shown as not what the hospital signed"""
    key = journey.person("researcher", study.HUB).get("/catalogue/")["datasets"][0]["id"]
    (before,) = hub.sql("SELECT data FROM store_record WHERE kind = 'dataset' AND key = ?", key)[0]
    data = json.loads(before)
    data["description"]["people"] = 999_999
    hub.sql("UPDATE store_record SET data = ? WHERE kind = 'dataset' AND key = ?", json.dumps(data), key)
    try:
        shown = journey.person("researcher", study.HUB).get(f"/catalogue/{key}/")
    finally:
        hub.sql("UPDATE store_record SET data = ? WHERE kind = 'dataset' AND key = ?", before, key)
    again = journey.person("researcher", study.HUB).get(f"/catalogue/{key}/")
    return _promise(alter_a_dataset, not shown["verified"] and again["verified"], f"verified: {shown['verified']}")


def swap_a_key(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: a directory with a hospital's key swapped is refused by the others"""
    document = json.loads(json.dumps(hub.notice("directory")["document"]))
    document["seq"] += 1
    for site in document["sites"]:
        if site["id"] == "hospital-a":
            site["keys"] = [{**site["keys"][0], "kid": hub.kid, "jwk": hub.public}]
    before = last_entry(journey.nation, "hospital-c")
    with hub.serving("directory", hub.forge(document)):
        found = _refused(journey, "hospital-c", before, lambda e: e["type"] == "notice.refused", "a refused directory")
    return _promise(swap_a_key, found["reason"] == "too-few-signatures", found["message"])


def add_a_member(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: a member added to the company's list is refused"""
    document = json.loads(json.dumps(hub.notice(MEMBERS)["document"]))
    document["seq"] += 1
    document["members"].append({"id": f"mallory@{study.DESK}", "name": "M", "role": "analyst", "key": hub.public})
    before = last_entry(journey.nation, "hospital-c")
    with hub.serving(MEMBERS, hub.forge(document)):
        found = _refused(
            journey, "hospital-c", before, lambda e: e["type"] == "notice.refused", "a refused member list"
        )
    return _promise(add_a_member, found["reason"] == "too-few-signatures", found["message"])


def speak_as_a_hospital(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: a board's vote or outcome forged in a hospital's name is refused by the desk"""
    before = last_entry(journey.nation, study.DESK)
    payload = {"id": journey.facts["request"], "outcome": "rejected", "letter": "", "conditions": [], "expires": ""}
    jti = hub.inject(hub.envelope("board.outcome", payload, to=study.DESK, iss="hospital-a"))
    found = _refused(journey, study.DESK, before, lambda e: e.get("jti") == jti, "a refused outcome")
    return _promise(speak_as_a_hospital, found["reason"] == "unknown-key", found["message"])


def _job(journey: Journey, **changes: Any) -> dict:
    """The company's own agreed job, as it stands in its ledger's documents, bent a little."""
    paper = journey.researcher.get(f"/agreements/{journey.facts['agreement']}/")["agreement"]
    terms = paper["terms"]
    return {
        "ansim": "job/1", "agreement": terms["id"], "version": terms["version"], "terms": paper["digest"],
        "area": study.AREA, "mode": "extract", "method": "extract", "spec": {}, "member": study.MEMBER,
        "at": journey.now().isoformat(), "nonce": "f" * 32, "centre": terms["place"]["centre"],
        "query": terms["query"], **changes,
    }  # fmt: skip


def _about(jti: str) -> Callable[[dict], bool]:
    return lambda entry: entry.get("jti") == jti or entry["type"] == "job.refused"


def pose_as_a_member(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: an in-scope request in a member's name, signed with the hub's key, is refused"""
    job = signed.sign_document(_job(journey), hub.kid, hub.sign)
    reasons = []
    for iss in ("hub", study.DESK):
        before = last_entry(journey.nation, "hospital-a")
        jti = hub.inject(hub.envelope("extract.ask", {"job": job}, to="hospital-a", iss=iss))
        found = _refused(journey, "hospital-a", before, _about(jti), "a refused job")
        reasons.append(found.get("reason") or found.get("message") or str(found.get("reasons")))
    extracts = journey.at("hospital-a", "steward").get("/extracts/")
    forged = [e for e in json.dumps(extracts).split('"') if e == "f" * 32]
    return _promise(pose_as_a_member, all(reasons) and not forged, reasons)


def use_live_sessions(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: its live sessions open no hospital's console, so nobody votes with them"""
    sessions = [row[0] for row in hub.sql("SELECT session_key FROM django_session")]
    answers = set()
    for holder in study.HOSPITALS:
        for session in sessions:
            vote = partial(
                httpx.post,
                f"{journey.nation.url(holder)}/board/{journey.facts['request']}/vote/",
                json={"choice": "approve"},
                headers={"Accept": "application/json", "Cookie": f"ansim_{holder}={session}; ansim_hub={session}"},
                timeout=30,
            )
            answers.add(patiently(vote).status_code)
    return _promise(
        use_live_sessions, sessions and answers <= {401, 403}, f"{len(sessions)} sessions: {sorted(answers)}"
    )


def replay_an_envelope(journey: Journey, hub: StolenHub) -> Promise:
    """A replayed envelope has no second effect"""
    holder = "hospital-a"
    hub.listen("thanks", study.DESK, holder)
    journey.researcher.do(f"/requests/{journey.facts['request']}/message/", holder=holder, text="Thank you.")
    wire = until(lambda: hub.heard("thanks", "thread.message"), PATIENCE, "the message passing")[0]
    hub.unlisten("thanks")
    steward = journey.at(holder, "steward")
    page = f"/reviews/{journey.facts['request']}/"
    until(lambda: "Thank you." in json.dumps(steward.get(page)), PATIENCE, "the message's arrival")
    once = json.dumps(steward.get(page)).count("Thank you.")
    before = last_entry(journey.nation, holder)
    hub.inject(wire)
    found = _refused(journey, holder, before, lambda e: e["type"] == "envelope.repeated", "a noticed replay")
    twice = json.dumps(steward.get(page)).count("Thank you.")
    return _promise(replay_an_envelope, once == twice, f"{found['type']} {found['jti'][:8]}")


def _asks_extract(journey: Journey, who: str = "researcher", holder: str = "hospital-a", **values: Any) -> dict:
    """Ask one hospital for an extract as a member; gives the refusal that its ledger shows."""
    before = last_entry(journey.nation, holder)
    values = {"area": study.AREA, "holders": [holder], **values}
    journey.person(who, study.DESK).do(f"/agreements/{journey.facts['agreement']}/extract/", **values)
    return _refused(journey, holder, before, lambda e: e["type"] == "job.refused", "a refused job")


def _codes(found: dict) -> set[str]:
    return {reason["code"] for reason in found["reasons"]}


def another_area(journey: Journey, hub: StolenHub) -> Promise:
    """A researcher asks under another area of research than agreed: refused"""
    found = _asks_extract(journey, area=study.OTHER_AREA)
    return _promise(another_area, _codes(found) == {"area-outside"}, sorted(_codes(found)))


def more_variables(journey: Journey, hub: StolenHub) -> Promise:
    """A researcher asks for a variable out of scope: refused"""
    more = {"name": "anaemia", "kind": "flag", "event": "condition", "concepts": [439777]}
    query = {**study.QUERY, "variables": [*study.QUERY["variables"], more]}
    found = _asks_extract(journey, query=query)
    return _promise(more_variables, _codes(found) == {"variable-not-agreed"}, sorted(_codes(found)))


def _feasibility(journey: Journey, query: dict, holder: str) -> dict:
    asked = journey.person("researcher", study.HUB).do("/feasibility/new/", query=json.dumps(query), purpose="a count")[
        "id"
    ]
    page = f"/feasibility/{asked}/"

    def answer() -> dict:
        given = journey.person("researcher", study.HUB).get(page)["answers"][holder]
        return given if given["status"] in {"answered", "refused"} else {}

    return until(answer, PATIENCE, f"the answer of {holder}")


def one_person_apart(journey: Journey, hub: StolenHub) -> Promise:
    """Two feasibility questions that differ by one person are answered alike"""
    holder = "hospital-a"
    con = open_cdm(journey.folder(holder) / "cdm.duckdb")
    try:
        (concept,) = con.execute(
            "SELECT drug_concept_id FROM drug_exposure WHERE person_id IN (SELECT person_id FROM condition_occurrence"
            " WHERE condition_concept_id = ?) AND drug_concept_id <> 0"
            " GROUP BY 1 HAVING count(DISTINCT person_id) = 1 ORDER BY 1 LIMIT 1",
            [study.VIRAL_SINUSITIS],
        ).fetchall()[0]
    finally:
        con.close()
    window = {"from_days": None, "to_days": None}
    without = {**study.QUESTION["cohort"], "exclude": [{"event": "drug", "concepts": [concept], "window": window}]}
    first = _feasibility(journey, study.QUESTION, holder)
    second = _feasibility(journey, {**study.QUESTION, "cohort": without}, holder)
    alike = (first["status"], first["shown"]) == (second["status"], second["shown"])
    return _promise(one_person_apart, alike, f"{first['shown']} and {second['shown']}")


def flood_feasibility(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: a flood of feasibility questions gets no more answers than the day's budget"""
    holder = "hospital-c"
    ids = []
    for number in range(FLOOD):
        cohort = {**study.QUESTION["cohort"], "age": {"min": number % 40, "max": 60 + number // 2}}
        key = f"fea-flood{number}"
        query = {**study.QUESTION, "cohort": cohort}
        payload = {"id": key, "query": query, "purpose": "flood", "requester": f"{study.DESK}/mallory"}
        hub.inject(hub.envelope("feasibility.ask", payload, to=holder))
        ids.append(key)
    steward = journey.at(holder, "steward")

    def judged() -> list[dict]:
        mine = [
            each for each in steward.get("/feasibility/")["questions"] if str(each.get("id")).startswith("fea-flood")
        ]
        return mine if len(mine) == FLOOD and all(each["status"] in {"answered", "refused"} for each in mine) else []

    found = until(judged, 180, "all flooded questions judged")
    answered = sum(each["status"] == "answered" for each in found)
    return _promise(flood_feasibility, 0 < answered < FLOOD, f"{answered} of {FLOOD} answered")


def operator_alone(journey: Journey, hub: StolenHub) -> Promise:
    """An operator approves the own extract: refused, and the attempt is on the ledger (played in stage 8)"""
    tried = journey.facts["own-extract"]
    refused = [each["code"] == "roles-not-apart" and each["noted"] for each in tried.values()]
    return _promise(operator_alone, set(tried) == set(study.LINKED) and all(refused), tried)


def replay_version_1(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: a member's request under version 1, and version 1 itself, brought after version 2 came into force"""
    key, holder = journey.facts["agreement"], study.HOLDERS[0]
    hub.listen("kept", study.DESK, holder, withhold=True)
    journey.researcher.do(f"/agreements/{key}/extract/", area=study.AREA, holders=[holder])
    asked = until(lambda: hub.heard("kept", "extract.ask"), PATIENCE, "the request under version 1")[0]
    hub.unlisten("kept")
    narrower = study.agreement(journey.facts["request"], journey.today()) | {"supersedes": key}
    first = journey.legal.get(f"/agreements/{key}/")["agreement"]["terms"]
    narrower |= {"not_before": first["not_before"], "not_after": study.day_before(first["not_after"])}
    narrower |= {"destruction": {"within_days": 31}}  # later than before: so all are touched and sign again
    journey.legal.do("/agreements/new/", **narrower)
    signed_by_all(journey, key, 2)
    before = last_entry(journey.nation, holder)
    hub.inject(asked)
    found = _refused(journey, holder, before, lambda e: e["type"] == "job.refused", "a refused job")
    again = hub.inject(hub.heard(FINAL, "agreement.final")[0])
    hub.unlisten(FINAL)
    _refused(journey, holder, before, lambda e: e["type"] == "envelope.repeated" and e["jti"] == again, "a replay")
    version = journey.at(holder, "legal").get(f"/agreements/{key}/")["in_force"]["version"]
    held = _codes(found) == {"version-superseded", "terms-differ"} and version == 2
    return _promise(replay_version_1, held, f"{sorted(_codes(found))}; version {version} stays in force")


def removed_member(journey: Journey, hub: StolenHub) -> Promise:
    """A member whom the company removed is refused"""
    seq = journey.legal.do("/members/attest/", remove=[LEAVER_ID])["seq"]
    until(lambda: _held(journey, "hospital-a", MEMBERS) >= seq, PATIENCE, "the new member list at the hospital")
    found = _asks_extract(journey, who=LEAVER)
    return _promise(removed_member, _codes(found) == {"member-not-attested"}, sorted(_codes(found)))


def _held(journey: Journey, site: str, name: str) -> int:
    """The number of the notice that a site goes by."""
    with closing(sqlite3.connect(f"file:{journey.folder(site) / 'site.sqlite3'}?mode=ro", uri=True, timeout=30)) as con:
        row = con.execute("SELECT seq FROM store_notice WHERE name = ?", (name,)).fetchone()
    return row[0] if row else 0


def _everywhere(journey: Journey, name: str, seq: int) -> None:
    """Wait until all who judge under the agreement go by this notice: what an attack left is over then."""
    for site in (*study.HOLDERS, study.CENTRE, study.KEY_AGENCY):
        until(partial(_has, journey, site, name, seq), PATIENCE, f"{name} number {seq} at {site}")


def _has(journey: Journey, site: str, name: str, seq: int) -> bool:
    return _held(journey, site, name) >= seq


def withhold_a_removal(journey: Journey, hub: StolenHub) -> Promise:
    """Stolen hub: withholding member lists makes the hospitals refuse, not believe the old one"""
    with hub.withholding(MEMBERS):
        journey.move_clocks(15)
        found = _asks_extract(journey)
    _everywhere(journey, MEMBERS, journey.legal.do("/members/attest/")["seq"])
    return _promise(withhold_a_removal, _codes(found) == {"members-stale"}, sorted(_codes(found)))


def suspended_centre(journey: Journey, hub: StolenHub) -> Promise:
    """A centre whose designation is suspended gets nothing more"""
    seq = _held(journey, "hub", "designations") + 1
    notice = journey.nation.sign_designations(journey.now(), seq=seq, suspended=(study.CENTRE,))
    _publish(journey, notice)
    try:
        until(lambda: _held(journey, "hospital-a", "designations") >= seq, PATIENCE, "the suspension at the hospital")
        found = _asks_extract(journey)
    finally:
        _publish(journey, journey.nation.sign_designations(journey.now(), seq=seq + 1))
        _everywhere(journey, "designations", seq + 1)
    return _promise(suspended_centre, _codes(found) == {"designation-suspended"}, sorted(_codes(found)))


def _publish(journey: Journey, notice: dict) -> None:
    """As the ministry does: anybody may carry a signed notice to the hub."""
    address = f"{journey.nation.url('hub')}/exchange/notices"
    patiently(lambda: httpx.post(address, json=notice, timeout=30)).raise_for_status()
