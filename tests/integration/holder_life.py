"""Jobs, extracts, linkage keys and federated rounds at a real holder site; run by test_back_rooms.py with a folder."""

import base64
import io
import json
import re
import secrets
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import back_rooms
import duckdb
import pyarrow.parquet as pq
import pytest
from back_rooms import HOLDERS, KEY, REQUEST, World, deliver, refused, work, world

from ansim.documents import digest
from ansim.errors import Problem
from ansim.sites.exchange import signed

HERE = World(Path(sys.argv[1]), "hospital-a")
TERMS = HERE.terms()
PEOPLE = 600


def data() -> None:
    """The holder's CDM and its identity register; person ids as hospitals have them."""
    source, place = world.cdm(PEOPLE), HERE.folder / "cdm.duckdb"
    with duckdb.connect(str(place)) as con:
        for table in ("person", "condition_occurrence", "measurement", "concept", "concept_ancestor"):
            con.register("given", source.sql(f"SELECT * FROM {table}").to_arrow_table())
            con.execute(f"CREATE TABLE {table} AS SELECT * FROM given")
            if table in ("person", "condition_occurrence", "measurement"):
                con.execute(f"UPDATE {table} SET person_id = person_id + 884400000")
            con.unregister("given")
        con.execute("ALTER TABLE person ADD COLUMN IF NOT EXISTS person_source_value VARCHAR")
        con.execute("UPDATE person SET person_source_value = 'P' || person_id")
    with duckdb.connect(str(HERE.folder / "identity.duckdb")) as con:
        con.execute(
            """CREATE TABLE identity AS SELECT 884400000 + i AS person_id, '김하늘' || chr(44032 + i::INT) AS name,
            DATE '1950-01-01' + i::INT AS birth_date, 'F' AS sex, '0105555' || (1000 + i) AS phone,
            '500101-2000000' AS resident_number FROM range(1, 601) t(i)"""
        )


def job(mode: str = "extract", member: str = "researcher@company-x", key: str = "", **changes) -> dict:
    """A job signed by a member's key (or by another's)."""
    document = {
        "ansim": "job/1",
        "agreement": KEY,
        "version": 1,
        "terms": digest(TERMS),
        "area": "respiratory",
        "mode": mode,
        "method": "extract",
        "spec": {},
        "query": TERMS["query"],
        "member": member,
        "at": datetime.now(UTC).isoformat(),
        "nonce": secrets.token_hex(16),
    } | changes
    store = HERE.store("company-x")
    name = key or member
    return signed.sign_document(document, store.keys[name]["kid"], store.private(name).private_key.sign)


def approved_case() -> None:
    """A review in preparation and a board case with an IRB decision, by the aggregates' own rules."""
    from ansim.governance import board as b
    from ansim.governance import review as r
    from ansim.governance.irb import ConfirmIrb, EnterIrb
    from ansim.sites.store import ledger

    def on(aggregate, *commands) -> None:
        for command in commands:
            ledger.execute(aggregate, REQUEST, command, actor=command.by)

    on(
        r.review,
        r.Ask(by="company-x", request=REQUEST, applicant="company-x", title=TERMS["title"]),
        r.Reply(by="steward", answer="yes"),
        r.Receive(by="x", application="a" * 64, applicant="company-x", request=REQUEST, title=TERMS["title"]),
        r.Screen(by="steward"),
        r.SendToBoard(by="officer"),
    )
    board = [(f"in{number}", "internal") for number in range(3)] + [(f"out{number}", "outsider") for number in range(3)]
    members = [{"id": who, "name": who, "org": kind, "kind": kind} for who, kind in board]
    on(
        b.board,
        b.Docket(
            by="secretary",
            case=REQUEST,
            application={"id": REQUEST, "digest": "a" * 64},
            applicant_org="company-x",
            chair="in0",
            members=members,
        ),
        *[b.DeclareConflict(by=who, conflict=False) for who, _ in board],
        b.OpenVoting(by="secretary"),
        *[b.Vote(by=who, choice="approve") for who, _ in board],
        b.Decide(by="in0", outcome="approved", letter="b" * 64, expires=TERMS["not_after"]),
        EnterIrb(by="secretary", number="1", letter="c" * 64, decision="approved", expires=TERMS["not_after"]),
        ConfirmIrb(by="officer", letter="c" * 64),
    )
    decide = next(step.command for step in r.review.steps.values() if step.source == ("board",))
    on(r.review, decide(by="s", outcome="approved"), r.Negotiate(by="s", agreement=KEY), r.Prepare(by="s"))
    ledger.record("paper", KEY, {"id": KEY, "request": REQUEST, "terms": TERMS}, status="in force")
    ledger.record("screening", REQUEST, {"tier": {"level": "medium"}, "route": {"reviews": [{"review": "irb"}]}})


def refusals(post) -> None:
    """Each way of asking for what was not agreed is refused: for its own reason here, in the same words there."""
    from ansim.sites.store.models import Record

    good = job()
    forged = {**good, "document": {**good["document"], "area": "cardiology", "nonce": secrets.token_hex(16)}}
    later = json.loads(json.dumps(TERMS["query"]))
    later["cohort"]["entry"]["concepts"] = [world.CHRONIC]
    cases = {
        "signature": job(key="researcher2@company-x"),
        "bad-signature": forged,
        "entry-differs": job(query=later),
        "area-outside": job(area="oncology"),
        "mode-outside": job(mode="export"),
        "version-superseded": job(version=2),
        "job-old": job(at="2020-01-01T00:00:00+00:00"),
        "member-not-agreed": job(member="stranger@company-x", key="researcher@company-x"),
    }
    words = set()
    for code, asked in cases.items():
        if asked["document"]["mode"] != "extract":
            refused("not-an-extract", deliver, "extract.ask", {"job": asked}, "company-x")
            continue
        deliver("extract.ask", {"job": asked}, "company-x")
        [(to, told, sealed)] = post.take("job.refused")
        assert to == "company-x"
        assert sealed
        assert set(told) == {"job", "reason"}
        words.add(told["reason"])
        held = Record.objects.get(kind="refusal", key=digest(asked["document"])).data["reasons"]
        assert code in {reason["code"] for reason in held}, (code, held)
    assert len(words) == 1
    deliver("extract.ask", {"job": job()}, "hub")
    [(to, _told, _)] = post.take("job.refused")
    assert to == "company-x"
    assert not Record.objects.filter(kind="extract").exists()


def extract(post) -> None:
    """Asked, made, reviewed by two others, stopped by a suspension, then sent without anybody's identity."""
    from ansim.governance.agreement import Resume, Suspend, agreement
    from ansim.sites.holder import extraction, extracts
    from ansim.sites.store import ledger

    asked = job()
    deliver("extract.ask", {"job": asked}, "company-x")
    key = digest(asked["document"])[:16]
    assert extracts.get(key)["status"] == "waiting"
    deliver("extract.ask", {"job": asked}, "company-x")
    assert len(post.take("job.refused")) == 1  # the same job a second time
    refused("not-now", extracts.decide, key, "reviewer1-a", adequate=True, reason="")
    extracts.run(key, "operator-a")
    work()
    made = extracts.get(key)
    assert made["status"] == "in review", made["problem"]
    assert made["before"]["k"] < 5 <= made["after"]["k"]
    assert made["after"]["uniques"] == 0
    refused("roles-not-apart", extracts.decide, key, "operator-a", adequate=True, reason="")
    assert extracts.decide(key, "reviewer1-a", adequate=True, reason="fine").status == "reviewing"
    refused("reviewed-already", extracts.decide, key, "reviewer1-a", adequate=True, reason="")

    cdm = HERE.folder / "cdm.duckdb"
    before = cdm.read_bytes()
    with duckdb.connect(str(cdm)) as con:
        con.execute("DELETE FROM measurement WHERE person_id = 884400001")
    refused("data-changed", extracts.decide, key, "reviewer2-a", adequate=True, reason="")
    cdm.write_bytes(before)

    assert extracts.decide(key, "reviewer2-a", adequate=True, reason="fine").status == "adequate"
    ledger.execute(agreement, KEY, Suspend(by="company-x", reason="incident"), actor="company-x")
    work()
    assert extracts.get(key)["status"] == "stopped"
    assert not post.take("extract.send")
    assert not post.take("link.keys")
    assert not extraction.folder(key).exists()
    refused("agreement-not-in-force", extracts.run, key, "operator-a")
    ledger.execute(agreement, KEY, Resume(by="officer", reason="settled"), actor="officer")
    extracts.run(key, "operator-a")
    work()  # unchanged plan, data and files: the decisions over them stand
    agency_answers(post)
    sent = extracts.get(key)
    assert sent["status"] == "sent", sent["problem"]
    leaves(post, sent)
    assert not extraction.folder(key).exists()
    assert not list((HERE.folder / "extracts").iterdir())
    assert not (HERE.folder / "link" / KEY).exists()


def agency_answers(post) -> None:
    """The key agency evaluates what the holder blinded; nobody else's answer is taken, and a repeat changes nothing."""
    from ansim.privacy.linkage import oprf, tokens
    from ansim.sites.store.models import Job

    [(to, asked, sealed)] = post.take("link.blind")
    assert (to, sealed) == ("keyagency-1", True)
    assert "하늘" not in json.dumps(asked, ensure_ascii=False)
    elements = oprf.evaluate(tokens.agency_key(b"k" * 32), base64.b64decode(asked["elements"]))
    answer = {
        "agreement": KEY, "round": asked["round"], "batch": 0, "elements": base64.b64encode(elements).decode(),
    }  # fmt: skip
    refused("not-asked", deliver, "link.evaluated", answer, "public-body")
    refused("not-asked", deliver, "link.evaluated", {**answer, "round": 7}, "keyagency-1")
    short = {**answer, "elements": base64.b64encode(elements[:32]).decode()}
    refused("not-asked", deliver, "link.evaluated", short, "keyagency-1")
    deliver("link.evaluated", answer, "keyagency-1")
    deliver("link.evaluated", answer, "keyagency-1")
    Job.objects.filter(kind="extract-send").update(due=0)
    work()


def leaves(post, sent: dict) -> None:
    from ansim.sites.exchange import bulk, trust

    [(to, message, sealed)] = post.take("extract.send")
    assert (to, sealed) == ("centre-1", True)
    assert message["version"] == 1
    papers = [each["signed"] for each in message["decisions"]]
    assert {paper["document"]["reviewer"] for paper in papers} == {"reviewer1-a", "reviewer2-a"}
    own = trust.directory().keys("hospital-a", datetime.now(UTC))
    assert all(signed.signers(paper, own) for paper in papers)
    assert {paper["document"]["data_version"] for paper in papers} == {sent["data_version"]}
    opened = HERE.folder / "opened.tar"
    bulk.decrypt(HERE.folder / "outgoing" / message["blob"], message["key"], opened)
    with tarfile.open(opened) as tar:
        content = {member.name: tar.extractfile(member).read() for member in tar}
    serials = pq.read_table(io.BytesIO(content["serials.parquet"])).to_pylist()
    people = set(pq.read_table(io.BytesIO(content["person.parquet"]))["person_id"].to_pylist())
    assert {row["person"] for row in serials} == people
    assert len(people) == message["manifest"]["people"]
    for name, body in content.items():
        if name.endswith(".parquet"):
            values = str(pq.read_table(io.BytesIO(body)).to_pylist())
            assert not re.search(r"\b8844\d{5}\b|하늘", values), name
    [(agency, keys, hidden)] = post.take("link.keys")
    assert (agency, hidden) == ("keyagency-1", True)
    assert {row["serial"] for row in keys["rows"]} == {row["serial"] for row in serials}
    assert all(set(row) == {"serial", "keys"} for row in keys["rows"])
    assert not people & {token for row in keys["rows"] for token in (row["serial"], *row["keys"].values())}
    assert "하늘" not in json.dumps(keys, ensure_ascii=False)


def rounds(post) -> None:
    """Rounds in order, a repeat the same, anything else refused."""
    from ansim.research.analysis import methods

    spec = {
        "ansim": "model/1",
        "kind": "logistic",
        "outcome": "chronic",
        "terms": [{"variable": "sex", "levels": ["F", "M"]}],
    }
    asked = job("federated", method="logistic", spec=spec)
    first = {"run": "run-1", "round": 1, "job": asked, "state": methods.start("logistic", spec)}

    def answer(message: dict, sender: str = "centre-1") -> dict:
        deliver("fed.round", message, sender)
        [(to, payload, sealed)] = post.take("fed.answer")
        assert (to, sealed) == (sender, True)
        return payload

    assert answer({**first, "run": "run-0"}, "public-body") == {"run": "run-0", "round": 1, "refused": True}
    one = answer(first)
    assert one["aggregate"]["people"] > 300
    assert answer(first) == one
    state, _done, _ = methods.method("logistic").combine(one["aggregate"], spec, first["state"])
    shown = {name: state[name] for name in ("round", "beta")}
    two = answer({**first, "round": 2, "state": shown})
    assert two["aggregate"]["loglik"] > one["aggregate"]["loglik"]
    refused("other-state", deliver, "fed.round", {**first, "round": 2, "state": first["state"]}, "centre-1")
    other = job("federated", method="logistic", spec=spec)
    refused("other-run", deliver, "fed.round", {**first, "round": 3, "job": other}, "centre-1")
    assert answer({**first, "round": 7, "state": shown})["refused"]  # not the next
    again = job("federated", method="logistic", spec=spec)
    started = {**first, "run": "run-2", "job": again, "state": {"round": 0, "beta": [5.0, 5.0]}}
    assert answer(started)["refused"]  # a first round with coefficients of somebody's choice
    assert len(post.take("job.refused")) == 3
    masked(post, answer, spec, one["aggregate"])
    tables(post, answer)
    patients_words(answer, spec, first["state"])


def patients_words(answer, spec: dict, state: dict) -> None:
    """An objection holds from the next round on: a run that began before it stops, a new one leaves the person out."""
    from ansim.research.analysis import methods
    from ansim.research.cohort.query import parse
    from ansim.sites.holder import patients, source
    from ansim.sites.store.models import Record

    def begin(run: str) -> dict:
        asked = job("federated", method="logistic", spec=spec)
        return {"run": run, "round": 1, "job": asked, "state": state}

    query = parse(TERMS["query"])
    before = source.cohort(query, KEY)["person_id"].to_pylist()
    running = begin("run-3")
    one = answer(running)
    assert one["dataset"] == {"number": None, "sha256": source.version()}
    told, _done, _ = methods.method("logistic").combine(one["aggregate"], spec, state)
    second = {**running, "round": 2, "state": {name: told[name] for name in ("round", "beta")}}
    edition = source.edition(KEY)
    patients.change("objection", "", [f"P{before[0]}", "P-nobody"], person="steward")
    assert source.edition(KEY) != edition
    assert answer(second)["refused"]
    newest = Record.objects.filter(kind="refusal").order_by("-updated").first()
    assert [reason["code"] for reason in newest.data["reasons"]] == ["data-changed"]
    assert source.cohort(query, KEY)["person_id"].to_pylist() == before[1:]
    assert source.left_out(query, KEY) == "<10"
    with source.connect("") as con:
        assert con.execute("SELECT count(*) FROM person").fetchall() == [(PEOPLE - 1,)]
    patients.change("withdrawal", KEY, [f"P{before[1]}"], person="steward")
    patients.change("withdrawal", "another-project", [f"P{before[2]}"], person="steward")
    assert source.cohort(query, KEY)["person_id"].to_pylist() == before[2:]
    assert source.cohort(query, "")["person_id"].to_pylist() == before[1:]
    patients.change("consent", KEY, [f"P{person}" for person in before[:3]], person="steward")
    assert source.cohort(query, KEY)["person_id"].to_pylist() == [before[2]]
    patients.change("objection", "", [f"P{before[0]}"], remove=True, person="steward")
    refused("bad-list", patients.change, "consent", "", ["P1"], person="steward")
    patients.change("withdrawal", KEY, [f"P{before[1]}"], remove=True, person="steward")
    assert source.cohort(query, KEY)["person_id"].to_pylist() == before[:3]


def masked(post, answer, spec: dict, plain: dict) -> None:
    """Four holders: only the pool comes out. One leaves with its signed word: the rest mask anew; else they refuse."""
    from ansim.research.analysis import masks, methods, sums
    from ansim.sites.keeper.keystore import agreed, public

    asked, sites, state = job("federated", method="logistic", spec=spec), list(HOLDERS), methods.start("logistic", spec)
    first = {"run": "run-m", "round": 1, "job": asked, "state": state, "together": sites}
    keys = {each: HERE.store(each) for each in sites}
    nothing = sums.filled(sums.shape(plain), [0 * number for number in sums.numbers(plain)])

    def others(together: list[str]) -> list[dict]:
        """What the other holders would answer, had they nobody."""
        made = []
        for me in together[1:]:
            own = keys[me].private("receive").private_key
            secrets = {
                each: agreed(own, public(keys[each].keys["receive"]), masks.label("run-m", me, each))
                for each in together
                if each != me
            }
            made.append(masks.masked(nothing, me, secrets, "run-m", 1, digest(state)))
        return made

    given = answer(first)
    assert given["together"] == sites
    assert set(given["aggregate"]) == {"shape", "masked"}
    assert masks.unmasked([given["aggregate"], *others(sites)]) == plain
    with pytest.raises(Problem):
        masks.unmasked([given["aggregate"], *others(sites)[:-1]])
    left = sites[:-1]

    def word(run: str, signer: str = "public-body") -> dict:
        document = {"ansim": "fed-out/1", "run": run, "round": 1, "site": "public-body"}
        return signed.sign_document(document, keys[signer].keys["site"]["kid"], keys[signer].signing_key("site").sign)

    again = answer({**first, "together": left, "outs": [word("run-m")]})
    assert again["aggregate"]["masked"] != given["aggregate"]["masked"]
    assert masks.unmasked([again["aggregate"], *others(left)]) == plain
    for number, outs in enumerate((None, [], [word("run-n2", "hospital-c")], [word("run-m")])):
        other = {**first, "run": f"run-n{number}", "job": job("federated", method="logistic", spec=spec)}
        assert "masked" in answer(other)["aggregate"]
        assert answer({**other, "together": left, "outs": outs})["refused"], outs
    two = {**first, "run": "run-o", "job": job("federated", method="logistic", spec=spec), "together": sites[:2]}
    refusal = answer(two)
    assert refusal["refused"]
    assert signed.signers(refusal["out"], [public(keys["hospital-a"].keys["site"])])  # its own signed word
    post.take("job.refused")


def tables(post, answer) -> None:
    """A table is answered, and another that with it would single out a few people is not."""
    from ansim.research.analysis import methods

    base = {"ansim": "table/1", "title": {}, "query": digest(TERMS["query"]), "rows": ["sex"], "columns": []}
    spec = {**base, "measure": {"kind": "count"}}

    def ask(run: str, query: dict) -> dict:
        asked = job("federated", method="table", spec=spec, query=query)
        return answer({"run": run, "round": 1, "job": asked, "state": methods.start("table", spec)})

    assert ask("table-1", TERMS["query"])["aggregate"]["union"]["rows"] == [["F"], ["M"]]
    narrower = json.loads(json.dumps(TERMS["query"]))
    narrower["cohort"]["age"]["max"] = 81  # leaves out a few of the oldest
    assert ask("table-2", narrower) == {"run": "table-2", "round": 1, "refused": True}
    from ansim.sites.store.models import Record

    newest = Record.objects.filter(kind="refusal").order_by("-updated").first()
    assert [reason["code"] for reason in newest.data["reasons"]] == ["difference"]
    model = {"ansim": "model/1", "kind": "logistic", "outcome": "chronic", "terms": [{"variable": "temperature"}]}
    fewer = json.loads(json.dumps(TERMS["query"]))
    fewer["cohort"]["age"]["max"] = (
        83  # three people less; the cells of table-2 above differed by few, all of it did not
    )
    for name, query, refused_too in (("model-1", TERMS["query"], False), ("model-2", fewer, True)):
        asked = job("federated", method="logistic", spec=model, query=query)
        told = answer({"run": name, "round": 1, "job": asked, "state": methods.start("logistic", model)})
        assert bool(told.get("refused")) is refused_too, (name, told)


def overridden() -> None:
    """A special category blocks an extract until the officer answers for it, and again once that is taken back."""
    from ansim.sites.holder import categories, extracts

    with duckdb.connect(str(HERE.folder / "cdm.duckdb")) as con:
        con.execute("UPDATE condition_occurrence SET condition_source_value = 'T74.1' WHERE person_id = 884400003")
    asked = job()
    deliver("extract.ask", {"job": asked}, "company-x")
    key = digest(asked["document"])[:16]
    assert extracts.get(key)["status"] == "blocked"
    refused("not-now", extracts.run, key, "operator-a")
    good = {"reason": "the study is about it", "protection_plan": "own room", "expires": "2999-12-31"}
    for bad in ({"reason": " "}, {"protection_plan": ""}, {"expires": "2020-01-01"}, {"expires": "soon"}):
        code = "missing" if "expires" not in bad else "past-day" if bad["expires"] != "soon" else "no-day"
        refused(code, extracts.allow, key, "officer-a", "abuse-abortion", **{**good, **bad})
    refused("no-category", extracts.allow, key, "officer-a", "aids", **good)
    assert extracts.allow(key, "officer-a", "abuse-abortion", **good)["status"] == "waiting"
    assert categories.overrides(KEY)[0]["approver"] == "officer-a"
    extracts.run(key, "operator-a")
    work()
    assert extracts.get(key)["status"] == "in review", extracts.get(key)["problem"]
    categories.withdraw(KEY, "abuse-abortion", "officer-a")
    refused("no-override", categories.withdraw, KEY, "abuse-abortion", "officer-a")
    extracts.run(key, "operator-a")
    work()
    assert extracts.get(key)["problem"]["code"] == "special-category"

    refused("not-concepts", categories.change, "aids", {"concepts": "HIV"}, True, "officer-a")
    refused("no-codes", categories.change, "aids", {}, True, "officer-a")
    categories.change("abuse-abortion", {"icd": "O04\no04.1"}, True, "officer-a")
    assert categories.codes()["abuse-abortion"]["icd"] == ["O04", "O041"]
    extracts.run(key, "operator-a")
    work()
    assert extracts.get(key)["status"] == "in review"  # T74 is no code of the site's own list


def main() -> None:
    data()
    from ansim.sites.keeper import client

    keeper = client.start(HERE.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(HERE.folder)
        post = back_rooms.Post()
        back_rooms.put_in_force(TERMS)
        approved_case()
        from ansim.sites.holder import linkage

        refusals(post)
        linkage._look()
        work()
        [(to, salt, sealed)] = post.take("link.salt")
        assert (to, sealed) == ("public-body", True)
        assert set(salt) == {"agreement", "salt"}
        extract(post)
        overridden()
        rounds(post)
    finally:
        keeper.stdin.close()
        keeper.wait(5)


if __name__ == "__main__":
    main()
