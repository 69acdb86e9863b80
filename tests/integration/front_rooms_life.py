"""The life of a case in a holder's front rooms: counts, a signed application, an agreement, its amendment, its end."""

import base64
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import back_rooms
from back_rooms import KEY, REQUEST, World, deliver, refused, work, world

from ansim.data.cdm.files import building_cdm
from ansim.documents import digest
from ansim.governance.papers.agreement import agreement as draw
from ansim.governance.papers.sign import Party, sign_pdf
from ansim.sites.exchange import signed

HERE = World(Path(sys.argv[1]), "hospital-a")
NOW = datetime.now(UTC)
TERMS = {**HERE.terms(), "holders": [{"id": "hospital-a", "name": "Hospital A"}], "linkage": None}


def data() -> None:
    """300 people, 200 of them with the study's condition."""
    with building_cdm(HERE.folder / "cdm.duckdb") as con:
        con.execute(
            "INSERT INTO person (person_id, gender_concept_id, year_of_birth, race_concept_id, ethnicity_concept_id) "
            "SELECT i, CASE i % 2 WHEN 0 THEN 8507 ELSE 8532 END, 1960 + i % 30, 0, 0 FROM range(300) t(i)"
        )
        con.execute(
            "INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id, "
            "condition_start_date, condition_type_concept_id) "
            f"SELECT i, i, {world.SINUSITIS}, DATE '2012-04-01' + (i % 700)::INT, 0 FROM range(200) t(i)"
        )


def sign(site: str, key: str = "site"):
    return HERE.store(site).private(key).private_key.sign


def counts(post) -> None:
    """Equal questions, equal answers, also after a crash; refusals are all alike; only the hub may ask."""
    from django.db import transaction

    from ansim.sites.config import site
    from ansim.sites.holder import feasibility
    from ansim.sites.store.models import Record

    site().options["feasibility_grid_seconds"] = 0
    query = {**world.query(), "variables": []}
    asked = {"id": "fea-1", "query": query, "purpose": "x", "requester": "company-x/kim"}
    refused("not-the-hub", deliver, "feasibility.ask", asked, "company-x")
    deliver("feasibility.ask", asked, "hub")
    deliver("feasibility.ask", asked, "hub")  # the same once more: one answer
    [(to, first, _)] = post.take("feasibility.answer")
    assert to == "hub"
    assert first["status"] == "answered"
    assert abs(int(first["shown"]) - 200) <= 20

    again = {**asked, "id": "fea-2"}
    with transaction.atomic():
        post_handler(again)
        payload = {"id": "fea-2"}
        point = transaction.savepoint()
        feasibility._answer(payload, feasibility._count(payload))  # a crash undoes memory and answer together
        transaction.savepoint_rollback(point)
    assert Record.objects.get(kind="feasibility", key="fea-2").status == "waiting"
    work()
    [(_, second, _)] = post.take("feasibility.answer")
    assert second["shown"] == first["shown"]

    parts = {**asked, "id": "fea-parts", "by": ["sex", "year"], "query": _within(query, 2012, 2014)}
    deliver("feasibility.ask", parts, "hub")
    [(_, split, _)] = post.take("feasibility.answer")
    assert list(split["parts"]) == ["sex=F", "sex=M", "year=2012", "year=2013", "year=2014"]
    assert {each for each in split["parts"].values() if each.isdigit()}
    deliver("feasibility.ask", {**parts, "id": "fea-long", "query": _within(query, 1900, 2014)}, "hub")
    assert post.take("feasibility.answer")[0][1]["status"] == "refused"
    with transaction.atomic():  # taken back while it is counted: no answer, nothing spent, nothing remembered
        post_handler({**asked, "id": "fea-back", "query": _within(query, 2012, 2014)})
        counted = feasibility._count({"id": "fea-back"})
        refused("not-the-hub", deliver, "feasibility.cancel", {"id": "fea-back"}, "company-x")
        post_handler({"id": "fea-back"}, "feasibility.cancel")
        feasibility._answer({"id": "fea-back"}, counted)
    work()
    assert not post.take("feasibility.answer")
    assert Record.objects.get(kind="feasibility", key="fea-back").status == "cancelled"

    for number, bad in enumerate(({"ansim": "query/9"}, "no query", {**query, "cohort": {}})):
        deliver("feasibility.ask", {**asked, "id": f"fea-bad-{number}", "query": bad}, "hub")
        [(_, answer, _)] = post.take("feasibility.answer")
        assert answer == {"id": f"fea-bad-{number}", "status": "refused", "shown": None}
        assert Record.objects.get(kind="feasibility", key=answer["id"]).data["why"]


def _within(query: dict, first: int, last: int) -> dict:
    return {**query, "period": {"from": f"{first}-01-01", "to": f"{last}-12-31"}}


def post_handler(payload: dict, kind: str = "feasibility.ask") -> None:
    from ansim.sites.exchange import post

    post._handlers[kind](post.Message(kind, "hub", payload, "0" * 32, datetime.now(UTC)))


def portal(post) -> None:
    """The hub's side of a question in parts: answers, a sum at the quorum, a page that follows, taking back."""
    from django.contrib.auth.models import Group, User
    from django.test import RequestFactory
    from django.utils.translation import override

    from ansim.sites.hub import feasibility
    from ansim.sites.hub.pages import feasibility as pages
    from ansim.sites.store.models import Record

    query = _within({**world.query(), "variables": []}, 2012, 2014)
    key = feasibility.ask(query=query, purpose="x", person="kim", organisation="Company X", by=["sex"], quorum=2)
    holders = [to for to, *_ in post.take("feasibility.ask")]
    assert len(holders) > 2
    parts = {"sex=F": "60", "sex=M": "<25"}
    for holder, shown in zip(holders, ("100", "<25"), strict=False):
        answer = {"id": key, "status": "answered", "shown": shown, "parts": parts}
        assert feasibility.total(Record.objects.get(kind="feasibility", key=key).data) is None
        deliver("feasibility.answer", answer, holder)
    bad = {"id": key, "status": "answered", "shown": "1", "parts": {"sex=F": "<b>"}}
    refused("bad-answer", deliver, "feasibility.answer", bad, holders[2])
    assert feasibility.total(Record.objects.get(kind="feasibility", key=key).data) == (100, 1, 1)
    user = User.objects.create_user("kim", last_name="Company X")
    user.groups.add(Group.objects.get_or_create(name="researcher")[0])

    def page(address: str, language: str):
        request = RequestFactory().get(address)
        request.user, request.session = user, type("Session", (dict,), {"session_key": None})()
        with override(language):
            return pages.detail(request, key)

    for language, word in (("ko", "여성"), ("en", "Women")):
        shown = page(f"/feasibility/{key}/?live=1", language)
        assert shown.headers["Refresh"] == "3"
        assert word in shown.content.decode()
    assert "Refresh" not in page(f"/feasibility/{key}/", "en").headers
    feasibility.cancel(key, "kim")
    assert {to for to, *_ in post.take("feasibility.cancel")} == set(holders[2:])
    deliver("feasibility.answer", {"id": key, "status": "answered", "shown": "50"}, holders[2])  # too late
    assert feasibility.total(Record.objects.get(kind="feasibility", key=key).data) == (100, 1, 1)
    refused("nothing-open", feasibility.cancel, key, "kim")
    assert "Refresh" not in page(f"/feasibility/{key}/?live=1", "en").headers


def application() -> dict:
    names = ("title", "purpose", "areas", "query", "modes", "place", "max_persons", "not_before", "not_after")
    return {
        "ansim": "application/1",
        "id": "app-front",
        **{name: TERMS[name] for name in names},
        "linkage": None,
        "applicant": TERMS["user"],
        "holders": ["hospital-a"],
        "people": TERMS["members"],
        "protocol": {"name": "p.pdf", "sha256": "e" * 64},
        "pledges": {each["id"]: TERMS["not_before"] for each in TERMS["members"]},
        "summary": {"ko": "요약", "en": "Summary"},
    }


def case(post) -> None:
    """A request, its thread, a signed application; forged ones change nothing."""
    from ansim.sites.holder import reviews, screening

    asked = {"id": REQUEST, "applicant": {"org": "company-x", "person": "kim"}, "title": TERMS["title"]}
    asked |= {"areas": TERMS["areas"], "purpose": TERMS["purpose"], "text": "?", "query": TERMS["query"]}
    refused("not-a-user", deliver, "request.ask", asked, "hub")
    deliver("request.ask", asked, "company-x")
    assert {to for to, *_ in post.take("review.status")} == {"hub", "company-x"}
    reviews.write(REQUEST, "we doubt it", "steward-a", internal=True)
    assert not post.take("thread.message")
    reviews.reply(REQUEST, "yes", [], "", "steward-a")
    [(_, reply, sealed)] = post.take("request.reply")
    assert sealed
    assert "we doubt it" not in str(reply)

    document, member = application(), "researcher@company-x"
    key = HERE.store("company-x").keys[member]["kid"]
    good = {"application": signed.sign_document(document, key, sign("company-x", member)), "request": REQUEST}
    stranger = signed.sign_document(document, HERE.store("hub").keys["site"]["kid"], sign("hub"))
    refused("unsigned", deliver, "application.submit", {**good, "application": stranger}, "company-x")
    changed = {**good["application"], "document": {**document, "areas": ["health"]}}
    refused("bad-signature", deliver, "application.submit", {**good, "application": changed}, "company-x")
    refused("not-yours", deliver, "application.submit", good, "hub")
    deliver("application.submit", good, "company-x")
    found = screening.screen(REQUEST, {}, "officer-a")
    assert (found["tier"]["level"], found["tier"]["reviewers"]) == ("medium", 2)
    assert screening.irb_needed(REQUEST)
    reviews.to_board(REQUEST, "officer-a")


def paper(terms: dict, *parties: str) -> dict:
    """The paper as the desk passes it on."""
    drawn = NOW.isoformat(timespec="milliseconds")
    pdf = draw(terms, names={}, at=datetime.fromisoformat(drawn))
    from ansim.sites.exchange import trust

    for party in parties:
        certificate = base64.b64decode(trust.directory().site(party)["certificate"])
        pdf = sign_pdf(pdf, Party(party, certificate, sign(party)), reason="agreed", at=datetime.now(UTC))
    body = {"id": terms["id"], "request": REQUEST, "terms": terms, "names": {}, "drawn": drawn}
    return {**body, "pdf": base64.b64encode(pdf).decode()}


def votes(post) -> None:
    from ansim.governance import board as core
    from ansim.sites.holder import board

    state = board.docket(REQUEST, "secretary-a")
    people = [each["id"] for each in state.members]
    for person in people:
        board.act(REQUEST, core.DeclareConflict(by=person, conflict=False), person)
    board.act(REQUEST, core.OpenVoting(by="secretary-a"), "secretary-a")
    until = TERMS["not_after"]
    refused("no-quorum", board.decide, REQUEST, "chair-a", "approved", [], until, "")
    for person in people:
        board.act(REQUEST, core.Vote(by=person, choice="approve"), person)
    refused("not-the-chair", board.decide, REQUEST, people[-1], "approved", [], until, "")
    board.decide(REQUEST, "chair-a", "approved", [], until, "")
    told = {to: (payload, sealed) for to, payload, sealed in post.take("board.outcome")}
    assert told["company-x"][1]
    assert set(told["hub"][0]) == {"id", "outcome", "decided"}


def agreed(post) -> None:
    """Signed only after the board's approval; in force only with every signature; an older version never returns."""
    from ansim.sites.holder import agreements

    first = paper(TERMS, "company-x")
    refused("not-yours", deliver, "agreement.sign", first, "hub")
    deliver("agreement.sign", first, "company-x")
    refused("board", agreements.sign, KEY, "legal-a")
    votes(post)
    agreements.sign(KEY, "legal-a")
    [(_, back, sealed)] = post.take("agreement.signed")
    assert sealed
    refused("unsigned", deliver, "agreement.final", first, "company-x")
    final = {**first, "pdf": back["pdf"]}
    refused("not-yours", deliver, "agreement.final", final, "hub")
    deliver("agreement.final", final, "company-x")
    assert agreements.state(KEY).current["version"] == 1
    assert agreements.request_of(KEY) == REQUEST
    unseen = {**TERMS, "id": "agr-never-seen"}
    refused("no-agreement", deliver, "agreement.final", paper(unseen, "company-x", "hospital-a"), "company-x")

    wider = {**TERMS, "version": 2, "supersedes": digest(TERMS), "areas": ["health"]}
    deliver("agreement.sign", paper(wider, "company-x"), "company-x")
    refused("area-outside", agreements.sign, KEY, "legal-a")  # the difference must be accepted
    agreements.sign(KEY, "legal-a", accept=True)
    [(_, back, _)] = post.take("agreement.signed")
    deliver("agreement.final", {**paper(wider, "company-x"), "pdf": back["pdf"]}, "company-x")
    assert agreements.state(KEY).current["version"] == 2
    refused("wrong-version", deliver, "agreement.final", final, "company-x")
    amended(post, wider)
    assert [each.id for each in agreements.in_force()] == [KEY]


def amended(post, before: dict) -> None:
    """A counter-offer instead of a signature; what only narrows needs none of this hospital; halts are told to all."""
    from ansim.sites.holder import agreements, halting

    longer = (NOW + timedelta(days=400)).date().isoformat()
    third = {**before, "version": 3, "supersedes": digest(before), "not_after": longer}
    refused("not-signed-here", deliver, "agreement.final", paper(third, "company-x"), "company-x")
    deliver("agreement.sign", paper(third, "company-x"), "company-x")
    refused("no-reason", halting.counter, KEY, "legal-a", " ", {})
    refused("unknown-field", halting.counter, KEY, "legal-a", "too long", {"version": 7})
    halting.counter(KEY, "legal-a", "too long", {"not_after": before["not_after"]})
    [(to, said, sealed)] = post.take("agreement.counter")
    assert (to, sealed, said["proposal"]) == ("company-x", True, {"not_after": before["not_after"]})
    refused("nothing-to-sign", agreements.sign, KEY, "legal-a")
    assert agreements.state(KEY).current["version"] == 2  # what was in force goes on

    narrow = {**third, "not_after": before["not_after"], "max_persons": 900}
    refused("not-a-party", deliver, "agreement.sign", paper(narrow, "company-x"), "company-x")  # nothing to ask of us
    refused("unsigned", deliver, "agreement.final", paper(narrow), "company-x")  # the company's own signature is needed
    deliver("agreement.final", paper(narrow, "company-x"), "company-x")
    assert agreements.state(KEY).current["version"] == 3
    assert agreements.paper(KEY)["terms"]["max_persons"] == 900

    halting.halt(KEY, "suspend", "officer-a", "an incident")
    told = {to: payload["act"] for to, payload, _ in post.take("agreement.halted")}
    assert told == {"company-x": "suspend", "centre-1": "suspend"}
    assert agreements.state(KEY).status == "suspended"
    refused("illegal-transition", halting.halt, KEY, "suspend", "officer-a", "again")
    halting.halt(KEY, "resume", "officer-a", "it is over")
    assert agreements.state(KEY).status == "in force"


def ended() -> None:
    """By the site's own clock: keys destroyed, certificate kept, review closed."""
    from ansim.sites import clock
    from ansim.sites.exchange import post
    from ansim.sites.holder import agreements, closing, reviews

    post.keeper().call("pseudonyms", project=KEY, ids=["1"])
    closing._end()
    assert agreements.in_force()
    clock.move(timedelta(days=92).total_seconds())
    closing._end()
    closing._queue()
    work()
    assert agreements.state(KEY).status == "closed"
    assert reviews.get(REQUEST).status == "closed"
    refused("key-destroyed", post.keeper().call, "pseudonyms", project=KEY, ids=["1"])


def main() -> None:
    data()
    from ansim.sites.keeper import client

    keeper = client.start(HERE.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(HERE.folder)
        post = back_rooms.Post()
        counts(post)
        portal(post)
        case(post)
        agreed(post)
        ended()
    finally:
        keeper.stdin.close()
        keeper.wait(5)


if __name__ == "__main__":
    main()
