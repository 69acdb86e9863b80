"""Expert advice: bound to a case and a rule; no adviser of a party, none with a conflict; settled with a reason."""

from ansim.governance import advice as ad
from ansim.governance.advice import Advice, advice, fit_to_advise

ASK = ad.Ask(
    by="hospital-a", case="req-1", holder="hospital-a", applicant="company", rule="G2", expertise="de-identification",
    about={"object": "pseudonymisation plan", "name": "plan-1"}, question="May the serial stay?",
)  # fmt: skip
LEE = {"id": "lee", "org": "university", "fields": ["de-identification", "law"]}


def assigned(world):
    return world.play(advice, Advice(), ASK, ad.Assign(by="khis", person=LEE))


def answered(world):
    return world.play(
        advice,
        assigned(world),
        ad.Declare(by="lee", conflict=False),
        ad.Answer(by="lee", text="No: use a keyed one.", change="HMAC with a project key"),
    )


def test_a_question_names_a_case_a_rule_and_an_object(world):
    from dataclasses import replace

    state = world.play(advice, Advice(), ASK)
    assert (state.status, state.due) == ("asked", "2026-11-26")
    for change, code in (
        ({"rule": "G99"}, "unknown-rule"),
        ({"expertise": "magic"}, "unknown-field"),
        ({"about": {"object": "cohort", "name": " "}}, "no-object"),
        ({"about": {"object": "person", "name": "x"}}, "no-object"),
        ({"question": ""}, "message-length"),
        ({"question": "x" * 5001}, "message-length"),
    ):
        world.refused(code, advice, Advice(), replace(ASK, **change))


def test_nobody_of_a_party_advises_and_nobody_outside_the_field(world):
    state = world.play(advice, Advice(), ASK)
    assert fit_to_advise(LEE, state) == []
    for change, code in (
        ({"org": "company"}, "own-organisation"),
        ({"org": "hospital-a"}, "own-organisation"),
        ({"fields": ["law"]}, "other-field"),
    ):
        world.refused(code, advice, state, ad.Assign(by="khis", person={**LEE, **change}))


def test_who_declares_a_conflict_is_not_assigned_again(world):
    state = world.play(advice, assigned(world), ad.Declare(by="lee", conflict=True))
    assert (state.status, state.adviser) == ("asked", "")
    world.refused("conflict-of-interest", advice, state, ad.Assign(by="khis", person=LEE))
    other = {**LEE, "id": "park"}
    assert world.play(advice, state, ad.Assign(by="khis", person=other)).adviser == "park"


def test_only_the_adviser_answers_and_only_after_declaring(world):
    state = assigned(world)
    world.refused("illegal-transition", advice, state, ad.Answer(by="lee", text="x"))
    world.refused("not-yours", advice, state, ad.Declare(by="eve", conflict=False))
    working = world.play(advice, state, ad.Declare(by="lee", conflict=False))
    world.refused("not-yours", advice, working, ad.Answer(by="eve", text="x"))


def test_declining_needs_a_reason_and_both_stay_on_record(world):
    state = answered(world)
    world.refused("no-reason", advice, state, ad.Settle(by="hospital-a", taken=False))
    state = world.play(advice, state, ad.Settle(by="hospital-a", taken=False, reason="done already"))
    assert (state.status, state.reason, state.answer["change"]) == (
        "declined", "done already", "HMAC with a project key",
    )  # fmt: skip


def test_guidance_names_no_case_and_no_applicant(world):
    state = world.play(advice, answered(world), ad.Settle(by="hospital-a", taken=True))
    title = {"ko": "일련번호", "en": "Serial numbers"}
    for text in ({"ko": "req-1 사례", "en": "x"}, {"ko": "가", "en": "as company asked"}):
        world.refused("names-the-case", advice, state, ad.Publish(by="khis", title=title, text=text))
    world.refused("message-length", advice, state, ad.Publish(by="khis", title=title, text={"ko": "가", "en": ""}))
    text = {"ko": "키를 쓴 해시를 씁니다.", "en": "Use a keyed hash."}
    state = world.play(advice, state, ad.Publish(by="khis", title=title, text=text))
    assert state.guidance == {"title": title, "text": text, "rule": "G2"}
    assert state.status == "taken"
    assert world.play(advice, state, ad.Close(by="khis")).status == "closed"
