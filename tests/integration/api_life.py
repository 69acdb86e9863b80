"""One site of a kind, with cases in it, asked everything that its OpenAPI description says and much that it does not.

python api_life.py KIND FOLDER [EXAMPLES]; run by test_api.py. Requests come from schemathesis (fitting the schemas, and
breaking them); half of them name things that exist. No answer may be a 5xx, and a refused act may leave nothing behind.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

SITES = {"hub": "hub", "holder": "hospital-a", "centre": "centre-1", "keyagency": "keyagency-1", "user": "company-x"}
NOTES = ("act.refused", "access.refused", "person.locked-out", "person.signed-in")  # what is written of attempts
SECONDS = 150  # of one site; all ask at least once, the rest as far as the time goes
RAW = [
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"reason": "\\ud800", "decision": "\\u0000"}',
    b'{"a": 1, "a": 2}',
    b"[" * 100_000,
    b'{"reason": 1e400, "query": ' + b"9" * 5000 + b"}",
    json.dumps({"reason": "<script>alert(1)</script>", "text": "\u202e김\U0001f469\u200d\U0001f52c"}).encode(),
]


class Enough(Exception):
    """The seeding story has come to its richest moment."""


def seed_hub(post) -> None:
    import front_rooms_life
    import hub_life

    hub_life.register()
    from ansim.sites.hub import feasibility

    query = front_rooms_life._within({**front_rooms_life.world.query(), "variables": []}, 2012, 2014)
    feasibility.ask(query=query, purpose="x", person="everything", organisation="-", by=["sex"], quorum=2)


def seed_holder(post) -> None:
    import front_rooms_life

    front_rooms_life.data()
    front_rooms_life.case(post)
    front_rooms_life.agreed(post)


def seed_centre(post) -> None:
    import centre_life

    def stop() -> None:
        raise Enough

    centre_life.pages = stop
    with contextlib.suppress(Enough):
        centre_life.life()


def seed_keyagency(post) -> None:
    import back_rooms

    back_rooms.put_in_force(WORLD.terms())


def seed_user(post) -> None:
    import front_rooms_life

    from ansim.sites.user import cases

    terms = WORLD.terms()
    asked = {"title": terms["title"], "areas": ["respiratory"], "purpose": terms["purpose"], "text": "?"}
    key = cases.open_request(**asked, query=terms["query"], holders=["hospital-a"], person="researcher")
    cases.open_request(**asked, query=terms["query"], holders=["hospital-a", "hospital-b"], person="researcher")
    document = {**front_rooms_life.application(), "purpose": terms["purpose"]}
    cases.apply(key, document, "researcher")


def everybody(name: str = "everything"):
    """Somebody with every role, signed in and stepped up."""
    from django.test import Client

    from ansim.sites import people

    user = people.add(name, "모두", "correct horse battery", list(people.ROLES))
    browser = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
    browser.force_login(user)
    session = browser.session
    session["stepped_up"] = time.time()
    session.save()
    return browser


def known() -> list[str]:
    """Names of things that exist here."""
    from ansim.sites.store.models import Event, Record

    keys = {key for key in Record.objects.values_list("key", flat=True) if key}
    keys |= {stream.partition(":")[2] for stream in Event.objects.values_list("stream", flat=True).distinct()}
    return sorted(
        {key for key in keys if key and "/" not in key} | {"hospital-a", "table.csv", "logistic", "infection"}
    )


def kept() -> tuple[int, int]:
    """(entries of the ledger, documents): what a refused act must not have added to."""
    from ansim.sites.store.models import Event, Job

    return Event.objects.exclude(type__in=NOTES).count(), Job.objects.count()


class Asking:
    def __init__(self, browser) -> None:
        from django.core.signals import got_request_exception

        self.browser, self.faults, self.asked, self.done = browser, {}, 0, 0
        self._raised = ""
        got_request_exception.connect(self._note)

    def _note(self, **_signal) -> None:
        import traceback

        self._raised = traceback.format_exc()[-1500:]

    def ask(self, label: str, method: str, address: str, body: bytes, content: str, language: str = "en") -> None:
        before, self._raised = kept() if method != "GET" else (0, 0), ""
        answer = self.browser.generic(
            method,
            address,
            body,
            content,
            headers={"accept": "application/json", "accept-language": language},
            HTTP_REFERER="http://127.0.0.1/",
        )
        self.asked += 1
        self.done += answer.status_code == 200
        if answer.status_code >= 500:
            self.faults.setdefault(
                (label, answer.status_code), (address, body[:300], self._raised or answer.content[:300])
            )
        elif answer.status_code >= 400 and method != "GET" and kept() != before:
            self.faults.setdefault((label, "half-saved"), (address, body[:300], answer.content[:300]))
        elif answer.status_code == 400 and answer.headers["Content-Type"] == "application/json":
            told = answer.json()
            if not (told.get("message") or told.get("problems")):
                self.faults.setdefault((label, "no words"), (address, body[:300], told))


def fuzz(asking: Asking, document: dict) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    names, ends = known(), time.monotonic() + SECONDS
    schema = schemathesis.openapi.from_dict(document)
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in {"/sign-out/", "/sign-in/"}:
            continue
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)

            @seed(20261201)
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(strategy, st.booleans(), st.randoms(use_true_random=False), st.sampled_from(["ko", "en"]))
            def once(case, real, chance, language) -> None:
                if time.monotonic() > ends:
                    return
                if real and case.path_parameters:
                    case.path_parameters = {name: chance.choice(names) for name in case.path_parameters}
                with contextlib.suppress(requests.exceptions.RequestException, UnicodeError):  # not to be sent at all
                    sent = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1")).prepare()
                    body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
                    content = sent.headers.get("Content-Type", "application/json")
                    asking.ask(case.operation.label, case.method, sent.path_url, body, content, language)

            with contextlib.suppress(Exception) if _has_nothing_to_break(operation, mode) else contextlib.nullcontext():
                once()
    if time.monotonic() > ends:
        print(f"{KIND}: not every operation was asked as often as it should be", file=sys.stderr)


def _has_nothing_to_break(operation, mode) -> bool:
    """An operation without parameters or body has no request that breaks its schema."""
    import schemathesis

    return mode == schemathesis.GenerationMode.NEGATIVE and not operation.body


def raw(asking: Asking, document: dict) -> None:
    """What no schema makes: bodies that are not JSON objects, half characters, great depth, hostile texts."""
    for address, item in document["paths"].items():
        if "post" in item and address not in {"/sign-out/", "/sign-in/"}:
            for name in known()[:3]:
                path = address
                for parameter in item.get("parameters", ()):
                    path = path.replace(
                        f"{{{parameter['name']}}}", name if parameter["schema"]["type"] != "integer" else "1"
                    )
                for body in RAW:
                    asking.ask(f"POST {address}", "POST", path, body, "application/json")
        for hostile in ("%00", "%ED%A0%80", "99999999999999999999999", "%F0%9F%98%80", "a" * 3000, ".", "%2e%2e"):
            path = address
            for parameter in item.get("parameters", ()):
                path = path.replace(f"{{{parameter['name']}}}", hostile)
            for method in ({"get", "post"} & set(item)) if path != address else ():
                asking.ask(f"{method.upper()} {address}", method.upper(), path, b"{}", "application/json")


@contextlib.contextmanager
def site(world) -> Iterator[None]:
    from ansim.sites.keeper import client

    keeper = client.start(world.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(world.folder)
        yield
    finally:
        keeper.stdin.close()
        keeper.wait(5)


def main() -> None:
    import back_rooms

    with site(WORLD):
        globals()[f"seed_{KIND}"](back_rooms.Post())
        asking = Asking(everybody())
        document = asking.browser.get("/openapi.json").json()
        raw(asking, document)
        fuzz(asking, document)
    for (label, what), (address, body, words) in asking.faults.items():
        print(f"--- {label}: {what}\n{address}\n{body!r}\n{words}", file=sys.stderr)
    print(f"{KIND}: {len(document['paths'])} addresses, {asking.asked} requests, {asking.done} answered with 200")
    assert asking.done > 20, "next to nothing was answered: the session does not hold"
    assert not asking.faults, f"{len(asking.faults)} faults"


if __name__ == "__main__":
    import back_rooms

    KIND, FOLDER = sys.argv[1:3]
    EXAMPLES = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    sys.argv[1] = FOLDER  # the other lives read their folder there
    WORLD = back_rooms.World(Path(FOLDER), SITES[KIND])
    main()
