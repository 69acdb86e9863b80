"""Which reviews a case needs on a day, what blocks it, and on which conditions it may run: each with its rule.

Facts are yes, no or unknown (absent or None). An unknown fact that could change the route is asked for; what is certain
in spite of it is told meanwhile, and the route is final only when nothing is asked. A rule that is not known for the
edition of that day is asked for too ("rule:G7"): a case of 2022 is never judged by a text of 2025 without saying so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ansim.governance import rules

# What each fact means; order is the order in which an officer is asked.
FACTS = {
    "consent": "the people consented to this very use",
    "purpose": "statistics, scientific research or archiving (in the public interest), or another word",
    "human_subjects": "research on human subjects or their material under the Bioethics Act",
    "exemption": "the IRB is asked for exemption instead of full review",
    "sites": "number of data holders",
    "shared_board": "all these holders opted in to one shared board",
    "linkage": "records of different controllers are linked",
    "designated_linker": "by a designated key agency and linkage body",
    "special": "list of special categories touched (G1)",
    "override": "an override of the special categories stands, with reason, protection plan, approver and expiry",
    "genome": "genome files",
    "closed": "analysed in a closed environment only",
    "free_text": "free text",
    "images": "images",
    "numbers": "patient or insurance numbers in the source columns that are asked for",
}
IRB_STEPS = ("irb", "irb-exemption")  # either ends in a decision that L10 accepts


@dataclass
class Route:
    """reviews: [{review, rule}] in the order to seek them. blocks: [{block, rule}], what forbids the case as it is.
    conditions: [{condition, rule}]. ask: facts (or rules of that day's edition) to find out first."""

    reviews: list[dict] = field(default_factory=list)
    blocks: list[dict] = field(default_factory=list)
    conditions: list[dict] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)

    @property
    def final(self) -> bool:
        return not self.ask

    def as_data(self) -> dict:
        return {"reviews": self.reviews, "blocks": self.blocks, "conditions": self.conditions, "ask": self.ask}


def route(facts: Mapping[str, Any], on: date) -> Route:
    """The route of a case with these facts (see FACTS) under the editions in force on that day."""
    case = _Case(facts, rules.at(on))
    case.basis()
    case.board()
    case.bioethics()
    case.linkage()
    case.material()
    return case.route


class _Case:
    def __init__(self, facts: Mapping[str, Any], edition: rules.Edition):
        self.facts, self.edition, self.route = facts, edition, Route()

    def known(self, fact: str) -> Any:
        """The fact; None asks for it."""
        value = self.facts.get(fact)
        if value is None and fact not in self.route.ask:
            self.route.ask.append(fact)
        return value

    def parameters(self, rule: str) -> dict | None:
        """Parameters of the rule in force; None asks for the rule."""
        if rule in self.edition:
            return self.edition[rule]["parameters"]
        if f"rule:{rule}" not in self.route.ask:
            self.route.ask.append(f"rule:{rule}")
        return None

    def add(self, kind: str, name: str, rule: str) -> None:
        if self.parameters(rule) is not None:
            found = {kind: name, "rule": rules.cite(self.edition[rule])}
            getattr(self.route, f"{kind}s").append(found)

    @property
    def without_consent(self) -> bool:
        return self.facts.get("consent") is False

    def basis(self) -> None:
        """Consent, or one of the three purposes of L1."""
        if self.known("consent") is True:
            self.add("review", "consent", "G8")
        elif self.without_consent:
            purpose = self.known("purpose")
            if purpose is not None and purpose not in self.edition["L1"]["parameters"]["purposes"]:
                self.add("block", "purpose", "L1")

    def board(self) -> None:
        """Without consent a data review board decides: each holder's, or one that all of several opted in to."""
        if not self.without_consent:
            return
        several = self.known("sites")
        shared = self.known("shared_board") if several is None or several > 1 else False
        if shared and several and several > 1:
            if (known := self.parameters("G7")) and several >= known["least_sites"]:
                self.add("review", "shared-drb", "G7")
        elif several is not None and shared is not None:
            self.add("review", "drb", "G6")

    def bioethics(self) -> None:
        """A waiver of consent under PIPA does not replace the IRB: its approval, or its exemption."""
        if self.known("human_subjects") is not True:
            return
        if self.facts.get("exemption") is True:
            self.add("review", "irb-exemption", "G7")
        else:  # full review holds until somebody says that exemption is asked for
            self.add("review", "irb", "L10")

    def linkage(self) -> None:
        if self.known("linkage") is not True:
            return
        if self.known("designated_linker") is False:
            self.add("block", "linker", "L3")
        self.add("review", "linkage", "L3")
        self.add("review", "export-review", "L4")

    def material(self) -> None:
        """What kinds of data ask for: special categories, genome, texts and pictures, numbers of people."""
        special = self.known("special")
        if special and self.without_consent:
            self.add("review", "special-override", "G1")
            if self.known("override") is False:
                self.add("block", "special", "G1")
        if self.known("genome") is True and self.without_consent and (rule := self.parameters("G3")):
            if rule["allowed"] == "consent":
                self.add("block", "genome", "G3")
            else:
                self.add("condition", "closed-environment", "G3")
                if self.known("closed") is False:
                    self.add("block", "genome", "G3")
        for fact, rule_id in (("free_text", "G4"), ("images", "G4"), ("numbers", "G2")):
            if self.known(fact) is True and (rule := self.parameters(rule_id)):
                self.add("condition", rule.get(fact) or rule["condition"], rule_id)
