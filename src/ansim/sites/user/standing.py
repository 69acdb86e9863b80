"""What hospitals say about an agreement after it went round: counter-offers, suspensions, terminations."""

from ansim.errors import N_, Problem
from ansim.governance.agreement import Counter, agreement
from ansim.governance.terms import parties
from ansim.sites import clock
from ansim.sites.exchange import post
from ansim.sites.store import ledger
from ansim.sites.user import agreements


@post.receives("agreement.counter", sealed=True)
def _on_counter(message: post.Message) -> None:
    """A hospital does not sign the offer and says what it would sign. The offer and its signatures fall."""
    given = message.payload
    paper = _of_party(given["id"], message.sender)
    if given["digest"] != paper["digest"] or paper["status"] != "signing":
        return  # about an offer that is no more
    command = Counter(
        by=message.sender, party=message.sender, reason=str(given["reason"]), proposal=dict(given["proposal"])
    )
    ledger.execute(agreement, paper["id"], command, actor=message.sender)
    said = {"party": message.sender, "reason": command.reason, "proposal": command.proposal}
    agreements.put({**paper, "status": "countered", "counter": {**said, "at": clock.iso(clock.now())}})


@post.receives("agreement.halted", sealed=True)
def _on_halted(message: post.Message) -> None:
    """A hospital suspends, resumes or terminates for itself; the others go on."""
    given = message.payload
    paper = _of_party(given["id"], message.sender)
    said = {"act": given["act"], "reason": given["reason"], "at": clock.iso(clock.now())}
    agreements.put({**paper, "halts": {**paper.get("halts", {}), message.sender: said}})
    ledger.note(f"agreement-paper:{paper['id']}", "agreement.halted", actor=message.sender, act=given["act"])


def _of_party(key: str, sender: str) -> dict:
    paper = agreements.get(key)
    if sender not in parties(paper["terms"]):
        raise Problem("not-a-party", N_("{party} is not a party."), party=sender)
    return paper
