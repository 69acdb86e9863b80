"""Stage 7: one agreement, signed by every party on one paper, in force at each node by that node's own verification."""

import base64
import json
import logging
from datetime import UTC, datetime
from functools import partial

from ansim.demo.journey import study
from ansim.demo.journey.promises import until
from ansim.demo.journey.stolen_hub import StolenHub
from ansim.demo.journey.world import Journey, Stage
from ansim.errors import Problem
from ansim.governance.papers.check import attached, verify_pdf
from ansim.governance.terms import parties

FINAL = "final"  # what the hub keeps of the signed agreement on its way to the first holder
CHANGED_AT = 24  # places in the paper at which one byte is changed


def agree(journey: Journey) -> str:
    """The company signs first; the paper goes round; with all signatures each node puts it in force for itself."""
    legal = journey.legal
    StolenHub(journey.nation).listen(FINAL, study.DESK, study.HOLDERS[0])  # for a later attack: version 1 once more
    key = legal.do("/agreements/new/", **study.agreement(journey.facts["request"], journey.today()))["id"]
    journey.facts["agreement"] = key
    pages = signed_by_all(journey, key)
    digest = legal.get(f"/agreements/{key}/")["agreement"]["digest"]
    for holder, page in pages.items():
        same = page["in_force"]["digest"] == digest and page["in_force"]["usable"]
        journey.promise(f"{holder}: it verified all signatures itself, and the agreement is in force there", same)
    room = journey.person("room", study.CENTRE)
    space = until(partial(room.get, f"/workspaces/{key}/"), 180, "the workspace at the centre")
    journey.promise("the centre has opened a workspace for it", space["status"] == "waiting", space["status"])
    _paper(journey, legal.file(f"/agreements/{key}/paper/"))
    register = journey.person("coordinator", study.HUB)
    entry = until(lambda: _registered(register.get("/register/"), key), 180, "the agreement in the public register")
    journey.promise(
        "the public register shows it, as the holders say",
        set(study.HOLDERS) <= set(entry["said_by"]),
        entry["said_by"],
    )
    return f"X 주식회사 and four holders signed {key}; it is in force at every one of them"


def signed_by_all(journey: Journey, key: str, version: int = 1) -> dict[str, dict]:
    """The paper goes round and comes into force; gives each holder's page of it."""
    legal = journey.legal
    for holder in study.HOLDERS:
        journey.tell(f"{holder} signs")
        signatory = journey.at(holder, "legal")
        until(partial(_status, signatory, key, version, "to sign"), 180, f"the paper at {holder}")
        signatory.do(f"/agreements/{key}/sign/", differences="accepted")
        until(partial(_status, signatory, key, version, "signed", "in force"), 60, f"the signature of {holder}")
    journey.tell("everybody puts it in force")
    until(partial(_status, legal, key, version, "in force"), 180, "all signatures at the desk")
    return {
        holder: until(partial(_in_force, journey, holder, key, version), 180, f"the agreement in force at {holder}")
        for holder in study.HOLDERS
    }


def _status(signatory, key: str, version: int, *wanted: str) -> dict:
    """The page of the agreement if it is of this version and in one of these states, else nothing."""
    page = signatory.get(f"/agreements/{key}/")
    paper = page["agreement"]
    return page if paper["terms"]["version"] == version and paper["status"] in wanted else {}


def _in_force(journey: Journey, holder: str, key: str, version: int) -> dict:
    return _status(journey.at(holder, "legal"), key, version, "in force")


def _registered(page: dict, key: str) -> dict:
    for entry in page["entries"]:
        if entry["kind"] == "agreement" and entry["id"] == key and set(study.HOLDERS) <= set(entry["said_by"]):
            return entry
    return {}


def _paper(journey: Journey, pdf: bytes) -> None:
    """The paper's signatures, verified here with the certificates of the signed directory and nothing else."""
    directory = json.loads((journey.nation.folder / "directory.json").read_text("utf-8"))
    certificates = {site["id"]: base64.b64decode(site["certificate"]) for site in directory["sites"]}
    terms = attached(pdf)
    now = datetime.now(UTC)
    signed = [each.party for each in verify_pdf(pdf, certificates, terms, now=now)]
    journey.promise(
        "every party's PAdES signature holds", signed == parties(terms) or set(signed) == set(parties(terms)), signed
    )
    journey.promise(
        "the paper carries the machine terms", terms["query"] == study.QUERY and terms["areas"] == [study.AREA]
    )
    accepted = []
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # it tells of every refusal at length
    for number in range(CHANGED_AT):
        place = (number * 2 + 1) * len(pdf) // (2 * CHANGED_AT)
        changed = pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :]
        try:
            if {each.party for each in verify_pdf(changed, certificates, terms, now=now)} == set(parties(terms)):
                accepted.append(place)
        except Problem:
            continue
    journey.promise(f"a changed byte is refused (tried at {CHANGED_AT} places)", not accepted, accepted)
    other = {**terms, "not_after": "2099-12-31"}
    try:
        verify_pdf(pdf, certificates, other, now=now)
        journey.promise("other terms than those attached are refused", False)
    except Problem as problem:
        journey.promise("other terms than those attached are refused", problem.code == "terms-differ", problem.code)


AGREE = Stage(7, "협약", "Agreement", agree)
