"""Stages 3 and 4: how many patients fit, and a request to several holders."""

import re
from functools import partial

from ansim.demo.journey import study
from ansim.demo.journey.promises import until
from ansim.demo.journey.world import Journey, Stage
from ansim.demo.nation import POLICY

ANSWERED = {"answered", "refused"}
AWAY = "hospital-c"
RARE = {  # the oldest with a rare drug: too few anywhere
    **study.QUESTION,
    "title": {"ko": "아주 드문 환자", "en": "Very few people"},
    "cohort": {
        **study.QUESTION["cohort"],
        "age": {"min": 85, "max": 86},
        "require": [
            {"event": "drug", "concepts": [study.NAPROXEN], "window": {"from_days": 0, "to_days": 1}, "at_least": 1}
        ],
    },
}


def feasibility(journey: Journey) -> str:
    """One question to all; hospital C is down (SIGKILL) and answers when it is back."""
    hub = journey.person("researcher", study.HUB)
    journey.tell(f"{AWAY} is killed")
    journey.running.kill(AWAY)
    key = ask(journey, study.QUESTION, "feasibility of a study")
    journey.facts["feasibility"] = key

    def answers() -> dict[str, dict]:
        return hub.get(f"/feasibility/{key}/")["answers"]

    others = [holder for holder in study.HOLDERS if holder != AWAY]
    journey.tell("the others answer")
    until(lambda: all(answers()[holder]["status"] in ANSWERED for holder in others), 180, "answers of the others")
    down = until(lambda: answers()[AWAY]["status"] == "down", 120, f"{AWAY} shown as down")
    journey.promise("a holder that is down is shown as such", down)
    journey.tell(f"{AWAY} starts again")
    journey.running.start(only=[AWAY])
    journey.forget(AWAY)
    until(lambda: answers()[AWAY]["status"] in ANSWERED, 180, f"the late answer of {AWAY}")
    given = answers()
    journey.promise("it answers after it is back: nothing was lost", given[AWAY]["status"] in ANSWERED, given[AWAY])
    for holder in study.HOLDERS:
        text = f"{holder}: the answer is suppressed or rounded, or a refusal"
        journey.promise(text, protected(given[holder]), given[holder])
        seen = str(journey.at(holder, "steward").get("/feasibility/"))
        journey.promise(f"{holder}: the steward sees the question and the reason behind the answer", key in seen)
    _few(journey)
    total = ", ".join(f"{holder} {given[holder].get('shown') or '–'}" for holder in study.HOLDERS)
    return f"김연구 asked four holders, {AWAY} was down and answered later: {total}"


def ask(journey: Journey, query: dict, purpose: str) -> str:
    """Ask every holder, as a person would write it: in the readable form."""
    import yaml

    text = yaml.safe_dump(query, allow_unicode=True, sort_keys=False)
    return journey.person("researcher", study.HUB).do("/feasibility/new/", query=text, purpose=purpose)["id"]


def answers_to(journey: Journey, key: str) -> dict[str, dict]:
    """All answers, when everybody has given one; empty before."""
    found = journey.person("researcher", study.HUB).get(f"/feasibility/{key}/")["answers"]
    return found if all(each["status"] in ANSWERED for each in found.values()) else {}


def protected(answer: dict) -> bool:
    """A refusal that says nothing, "<threshold", or a rounded count at or above the threshold."""
    shown = str(answer.get("shown"))
    if answer["status"] == "refused":
        return answer.get("shown") is None
    if re.fullmatch(r"<\d+", shown):
        return int(shown[1:]) >= POLICY["threshold"]
    return shown.isdigit() and int(shown) >= POLICY["threshold"] and int(shown) % POLICY["rounding"] == 0


def _few(journey: Journey) -> None:
    """A group that is too small anywhere: nobody's number is told."""
    key = ask(journey, RARE, "a very small group")
    given = until(lambda: answers_to(journey, key), 180, "answers about a very small group")
    told = {holder: each for holder, each in given.items() if str(each.get("shown")).isdigit() or not protected(each)}
    journey.promise("a group of very few is told by nobody", not told, told or given)


def request(journey: Journey) -> str:
    """One request from the desk; each steward reads it and replies, one with conditions."""
    desk = journey.researcher
    key = desk.do("/requests/new/", **study.request())["id"]
    journey.facts["request"] = key
    for holder in study.HOLDERS:
        until(partial(journey.at(holder, "steward").get, f"/reviews/{key}/"), 120, f"the request at {holder}")
    asker = journey.at("public-body", "steward")
    asker.do(f"/reviews/{key}/message/", text="Which years of claims do you need?")
    until(lambda: _case(journey)["holders"]["public-body"]["thread"], 120, "the question of the public body")
    desk.do(f"/requests/{key}/message/", holder="public-body", text="All years up to 2021.")
    for holder in study.HOLDERS:
        conditional = holder == "hospital-b"
        journey.at(holder, "steward").do(
            f"/reviews/{key}/reply/",
            answer="conditions" if conditional else "yes",
            conditions=["results are shared before publication"] if conditional else [],
            reason="",
        )
    case = until(lambda: _replied(journey), 120, "all replies")
    states = {holder: (each["status"], each["version"]) for holder, each in case["holders"].items()}
    moved = all(status != "sent" and version >= 0 for status, version in states.values())
    journey.promise("each holder has its own state and clock", moved, states)
    answers = {holder: each["answer"] for holder, each in case["holders"].items()}
    journey.promise("one replied with conditions, the others plainly", answers["hospital-b"] == "conditions", answers)
    threads = {holder: len(each["thread"]) for holder, each in case["holders"].items()}
    own = threads["public-body"] == 2 and not threads["hospital-a"]
    journey.promise("each holder has its own thread", own, threads)
    seen = until(lambda: _at_hub(journey), 120, "the states at the hub")
    waiting = {holder: (each["waiting_on"], each["due"]) for holder, each in seen["holders"].items()}
    told = all(due or not who for who, due in waiting.values())
    journey.promise("the hub shows who must act next and by when", told, waiting)
    return "김연구 sent one request; " + ", ".join(f"{holder} said {answer}" for holder, answer in answers.items())


def _case(journey: Journey) -> dict:
    return journey.researcher.get(f"/requests/{journey.facts['request']}/")["request"]


def _replied(journey: Journey) -> dict:
    case = _case(journey)
    there = all(each["answer"] and each["version"] >= 0 for each in case["holders"].values())
    return case if there else {}


def _at_hub(journey: Journey) -> dict:
    key = journey.facts["request"]
    found = journey.person("researcher", study.HUB).get(f"/requests/{key}/")["request"]
    return found if all(each["status"] != "sent" for each in found["holders"].values()) else {}


FEASIBILITY = Stage(3, "가능성 조회", "Feasibility", feasibility)
REQUEST = Stage(4, "요청", "Match and ask", request)
