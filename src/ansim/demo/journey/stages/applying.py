"""Stage 5: one application, pre-screened, signed, and sealed to the holders."""

import copy
from functools import partial

from ansim.demo.journey import study
from ansim.demo.journey.promises import code_of, until
from ansim.demo.journey.stored import found
from ansim.demo.journey.world import Journey, Stage
from ansim.sites.exchange import signed


def members(journey: Journey) -> list[dict]:
    """The company's members with their public keys, from its signed list."""
    import json

    notice = json.loads((journey.folder(study.DESK) / "notices" / "members-company-x.json").read_text("utf-8"))
    return notice["document"]["members"]


def apply(journey: Journey) -> str:
    """The pre-screen names what is missing; the whole is signed with the member's key and goes out sealed."""
    desk, key = journey.researcher, journey.facts["request"]
    document = study.application(key, members(journey), journey.today())
    broken = copy.deepcopy(document)
    del broken["pledges"][study.MEMBER], broken["query"]["variables"]
    broken["protocol"], broken["place"] = None, {"centre": "", "remote": False}
    named = {problem["where"] for problem in desk.do("/applications/prescreen/", document=broken)["problems"]}
    expected = {"query.variables", "protocol", "place.centre", f"pledges.{study.MEMBER}"}
    journey.promise("the pre-screen lists everything that is missing", expected <= named, sorted(named))
    code = code_of(lambda: desk.do("/applications/new/", document=broken, request=key, member=study.MEMBER))
    journey.promise("an incomplete application is not sent", code, code)
    clean = desk.do("/applications/prescreen/", document=document)["problems"]
    journey.promise("the whole application has nothing to mend", not clean, clean)
    desk.do("/applications/new/", document=document, request=key, member=study.MEMBER)

    def received(holder: str) -> dict:
        page = journey.at(holder, "officer").get(f"/reviews/{key}/")
        return page if page["review"]["status"] == "received" else {}

    for holder in study.HOLDERS:
        page = until(partial(received, holder), 120, f"the application at {holder}")
        held = page.get("application") or {}
        journey.promise(f"{holder} has the whole application", study.PROTOCOL_SHA256 in str(held), sorted(page))
    _signature(journey, document)
    _sealed(journey)
    return "김연구 signed the application; it went sealed to four holders, its public part to the hub"


def _signature(journey: Journey, document: dict) -> None:
    """The desk's copy verifies with the member's key of the list."""
    import json
    import sqlite3

    key = next(each["key"] for each in members(journey) if each["id"] == study.MEMBER)
    with sqlite3.connect(f"file:{journey.folder(study.DESK)}/site.sqlite3?mode=ro", uri=True) as con:
        (text,) = con.execute(
            "SELECT data FROM store_record WHERE kind = 'case' AND key = ?", [journey.facts["request"]]
        ).fetchone()
    con.close()
    case = json.loads(text)
    opened = signed.open_document({"document": case["application"], "signatures": case["signed"]}, [key])
    journey.promise("the application carries the member's signature", opened == document)


# Words that stand in the application and nowhere in what the hub is told openly.
SEALED = (
    study.QUERY["title"]["ko"],
    study.QUERY["title"]["en"],
    "chronic_sinusitis",
    "amoxiclav_before",
    "naproxen_before",
    study.PROTOCOL_NAME,
    study.PROTOCOL_SHA256,
    study.SUMMARY["ko"],
    study.SUMMARY["en"],
    study.REQUEST_TEXT,
)


def _sealed(journey: Journey) -> None:
    """Read all that the hub stored; and a holder's, to see that the reading finds what is there."""
    at_hub = found(journey.folder(study.HUB), SEALED)
    journey.promise("all that the hub stored holds nothing of cohort or protocol", not at_hub, at_hub)
    at_holder = found(journey.folder("hospital-a"), SEALED)
    missing = sorted(set(SEALED) - set(at_holder))
    journey.promise("(control) the same reading finds every one of them at a holder", not missing, missing)


APPLY = Stage(5, "신청", "Apply", apply)
