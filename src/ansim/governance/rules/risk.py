"""Risk tier (P2) and form of review (P3) of a case, with the rule behind each step.

Facts are yes, no or unknown (absent or None). An unknown fact gives "ask" with its name, never a verdict.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ansim.governance import rules

ASK = "ask"


@dataclass(frozen=True)
class Tier:
    """level: low | medium | high | ask. reasons: [{fact, effect, rule}]. ask: facts to find out first."""

    level: str
    reasons: list[dict]
    ask: list[str]
    reviewers: int | None
    in_person: bool | None

    def as_data(self) -> dict:
        return dict(vars(self))


def tier(facts: Mapping[str, Any], on: date) -> Tier:
    """Tier of a case. facts: recipient "own" | "third-party"; place "controlled" (a space the provider or a designated
    body controls) | "elsewhere"; and true or false for sensitive, peculiar, unstructured, repeat, designated_body.

    Every kind of raise counts one step, and so does every kind of relief, within low and high."""
    edition = rules.at(on)
    p2, p3 = edition["P2"], edition["P3"]["parameters"]
    wanted = p2["parameters"]
    unknown = [name for name in (*wanted["up"], *wanted["down"]) if not isinstance(facts.get(name), bool)]
    recipient, place = facts.get("recipient"), facts.get("place")
    key = {"own": "own", "third-party": f"third-party-{place}"}.get(str(recipient), "")
    if key not in wanted["base"]:
        unknown.insert(0, "place" if recipient == "third-party" else "recipient")
    if unknown:
        return Tier(ASK, [], unknown, None, None)
    cited = rules.cite(p2)
    level = wanted["tiers"].index(wanted["base"][key])
    reasons = [{"fact": key, "effect": wanted["base"][key], "rule": cited}]
    for names, effect, step in ((wanted["up"], "up", 1), (wanted["down"], "down", -1)):
        present = [name for name in names if facts[name]]
        reasons += [{"fact": name, "effect": effect, "rule": cited} for name in present]
        level += step * len(present)
    name = wanted["tiers"][min(max(level, 0), len(wanted["tiers"]) - 1)]
    return Tier(name, reasons, [], p3["reviewers"][name], name in p3["in_person"])
