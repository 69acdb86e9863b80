"""Stage 13: the agreed period ends by the clock alone; everything that rested on it is gone or refused."""

from functools import partial

from ansim.demo.journey import study
from ansim.demo.journey.promises import code_of, until
from ansim.demo.journey.world import Journey, Stage

OVER = {"agreement-not-in-force", "period-over", "board"}  # the board's case is closed with it; nothing else is wrong
BEYOND = 2  # days after the last day


def close(journey: Journey) -> str:
    """Move every site's demo clock past the end, touch nothing else, and see what each does on its own."""
    key = journey.facts["agreement"]
    member, room = journey.person("researcher", study.CENTRE), journey.person("room", study.CENTRE)
    member.get(f"/workspaces/{key}/")  # the researcher can still get in
    journey.move_clocks(study.DAYS + BEYOND)
    code = until(lambda: code_of(lambda: member.get(f"/workspaces/{key}/")), 120, "the end of access")
    journey.promise("access ended by itself", code == "no-access", code)
    code = code_of(lambda: member.do(f"/workspaces/{key}/runs/", script="print(1)", title="after the end"))
    journey.promise("no script runs any more", code == "no-access", code)
    journey.tell("the centre destroys the workspace")
    space = until(partial(_closed, room, key), 300, "the destruction of the workspace")
    paper = room.file(f"/workspaces/{key}/certificate.pdf")
    journey.promise(
        "the workspace was destroyed with a certificate", paper.startswith(b"%PDF") and space["certificate"]
    )
    place = journey.folder(study.CENTRE) / "workspaces" / key
    left = [str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()] if place.exists() else []
    journey.promise("nothing of it is left on the centre's disk", not left, left[:5])
    for holder in study.HOLDERS:
        until(partial(_destroyed, journey, holder), 300, f"the end of the project's keys at {holder}")
        journey.promise(f"{holder}: it ended the agreement and destroyed the project's keys by its own clock", True)
    register = journey.person("coordinator", study.HUB)
    until(lambda: _registered(register.get("/register/"), key), 200, "the closure in the register")
    journey.promise("the public register says that it is closed", True)
    _next_request(journey, key)
    return (
        "the period ended: access, workspace and keys are gone, and four holders refused the next request on their own"
    )


def _closed(room, key: str) -> dict:
    page = room.get(f"/workspaces/{key}/")
    return page if page["status"] == "closed" and page["certificate"] else {}


def _registered(page: dict, key: str) -> bool:
    return any(entry["kind"] == "closed" and key in (entry["id"], entry.get("agreement")) for entry in page["entries"])


def _destroyed(journey: Journey, holder: str) -> bool:
    newest = journey.at(holder, "steward").get("/ledger/")["newest"]
    return any(entry["type"] == "project.destroyed" for entry in newest)


def _next_request(journey: Journey, key: str) -> None:
    """A job signed as before, under the agreement that is over."""
    journey.tell("the next request")
    until(
        lambda: _fresh_list(journey), 120, "a fresh member list of the company"
    )  # so that only the end speaks against it
    desk = journey.researcher
    job = desk.do(f"/agreements/{key}/extract/", area=study.AREA)["id"]

    def answers() -> dict:
        asked = next(each for each in desk.get(f"/agreements/{key}/")["jobs"] if each["id"] == job)["answers"]
        return asked if all(each["status"] != "asked" for each in asked.values()) else {}

    given = until(answers, 200, "the holders' answers to the next request")
    refused = [holder for holder, each in given.items() if each["status"] == "refused"]
    journey.promise("the next request is refused by every holder", sorted(refused) == sorted(study.HOLDERS), given)
    said = {each.get("reason") for each in given.values()}
    journey.promise("in one and the same sentence, which tells nothing", len(said) == 1, said)
    for holder in study.HOLDERS:
        listed = journey.at(holder, "steward").get("/extracts/")["refused"]
        reasons = {reason["code"] for each in listed if each["job"] == job for reason in each["reasons"]}
        journey.promise(f"{holder}: its own record says why: the agreement is over", reasons == OVER, sorted(reasons))
    job = desk.do(f"/agreements/{key}/federated/", area=study.AREA, method="table", spec=study.table())["id"]
    asked = until(lambda: _refused(desk, key, job), 120, "the centre's answer to the next analysis")
    journey.promise("and a federated analysis by the centre", asked, asked)


def _refused(desk, key: str, job: str) -> dict:
    found = next(each for each in desk.get(f"/agreements/{key}/")["jobs"] if each["id"] == job)["answers"]
    return found if all(each["status"] == "refused" for each in found.values()) else {}


def _fresh_list(journey: Journey) -> bool:
    """The desk attested its members anew after the jump, and the hub's copy has gone round."""
    newest = journey.legal.get("/ledger/")["newest"]
    return any(entry["type"] == "members.attested" for entry in newest)


CLOSE = Stage(13, "종료", "Close", close)
