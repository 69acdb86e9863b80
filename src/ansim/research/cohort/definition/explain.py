"""A definition in plain Korean or English, for people who decide on it and for those who check it.

Every part of the model is said; nothing that makes a difference is left out. The words are in `words.py`.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from ansim.errors import N_, Problem
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.domains import DEMOGRAPHIC, Attribute
from ansim.research.cohort.definition.words import WORDS

SHOWN = 12  # members of a concept set that are named one by one


def explain(definition: m.Definition, language: str) -> str:
    """The definition as lines of text in "ko" or "en"; conditions on conditions are indented."""
    if language not in WORDS:
        raise Problem("no-language", N_("Texts are there in Korean (ko) and English (en)."), where="language")
    return "\n".join(_Teller(definition, WORDS[language]).lines())


class _Teller:
    def __init__(self, definition: m.Definition, words: dict[str, str]):
        self.definition, self.words = definition, words
        self.sets = {each.id: each.name or self.say("set", id=each.id) for each in definition.sets}

    def say(self, key: str, **facts: object) -> str:
        return self.words[key].format(**facts)

    def lines(self) -> Iterator[str]:
        given = self.definition
        if given.title:
            yield given.title
        yield self.say("entry")
        for criterion in given.entry.criteria:
            yield from self.criterion(criterion, 0)
        if given.entry.days_before or given.entry.days_after:
            yield self.say("observed", before=given.entry.days_before, after=given.entry.days_after)
        if given.entry.limit != "all":
            yield self.say(f"entry_{given.entry.limit}")
        if given.where is not None:
            if not given.where.empty:
                yield self.say("where")
                yield from self.group(given.where, 0)
            if given.qualified != "all":
                yield self.say(f"qualified_{given.qualified}")
        for number, rule in enumerate(given.rules, 1):
            yield self.say("rule", number=number, name=rule.name or "-")
            if rule.description:
                yield f"  ({rule.description})"
            yield from self.group(rule.where, 0)
        if given.limit != "all":
            yield self.say(f"limit_{given.limit}")
        yield from self.end()
        yield from self.concept_sets()

    def end(self) -> Iterator[str]:
        end = self.definition.end
        if end is None:
            yield self.say("end_observation")
        elif isinstance(end, m.FixedEnd):
            yield self.say("end_fixed", days=end.days, side=self.words[f"event_{end.side}"])
        else:
            yield self.say("end_drug", set=self.sets[end.concepts], gap=end.gap, extra=end.extra)
            if end.supply is not None:
                yield self.say("end_supply", days=end.supply)
        if self.definition.censor:
            yield self.say("censor")
            for criterion in self.definition.censor:
                yield from self.criterion(criterion, 0)
        if self.definition.pad:
            yield self.say("pad", days=self.definition.pad)
        if self.definition.within != m.Days():
            yield self.say("within", days=self.days(self.definition.within))

    def concept_sets(self) -> Iterator[str]:
        if self.definition.sets:
            yield self.say("sets")
        for each in self.definition.sets:
            names = [self.member(member) for member in each.members[:SHOWN]]
            more = len(each.members) - len(names)
            names += [self.say("more", number=more)] if more > 0 else []
            yield f"- {self.sets[each.id]}: {', '.join(names) or self.say('no_concepts')}"

    def member(self, member: m.Member) -> str:
        marks = [self.words[key] for key in ("excluded", "descendants", "mapped") if getattr(member, key)]
        return self.concept(member.concept) + (f" ({', '.join(marks)})" if marks else "")

    def concept(self, concept: m.Concept) -> str:
        return f"{concept.name} [{concept.id}]" if concept.name else self.say("concept", id=concept.id)

    # ---- conditions

    def group(self, group: m.Group, depth: int, index: str = "entry") -> Iterator[str]:
        indent = "  " * depth
        if group.empty:
            yield f"{indent}- {self.say('nothing_asked')}"
            return
        yield f"{indent}- {self.say(group.kind, n=group.n)}"
        for correlated in group.criteria:
            yield from self.correlated(correlated, depth + 1, index)
        for demographic in group.people:
            asked = self.attributes(DEMOGRAPHIC, demographic.attributes)
            yield f"{indent}  - {self.say('person')}: {'; '.join(asked) or self.say('nothing_asked')}"
        for inner in group.groups:
            yield from self.group(inner, depth + 1, index)

    def correlated(self, given: m.Correlated, depth: int, index: str) -> Iterator[str]:
        number = self.say(given.count.op, n=given.count.n)
        if given.count.distinct is not None:
            number += " " + self.say("distinct", column=self.words[f"by_{given.count.distinct}"])
        windows = [self.window(given.window, index)]
        windows += [] if given.end_window is None else [self.window(given.end_window, index)]
        windows += [self.words[key] for key in ("same_visit", "beyond_observation") if getattr(given, key)]
        first, *more = self.criterion(given.criterion, depth)
        yield f"{first} — {number}; {'; '.join(windows)}"
        yield from more

    def window(self, window: m.Window, index: str) -> str:
        facts = {"event": self.words[f"its_{window.event}"], "index": self.words[f"{index}_{window.index}"]}
        ends = [self.point(window.start), self.point(window.end)]
        return self.say("window", start=ends[0], end=ends[1], **facts)

    def point(self, endpoint: m.Endpoint) -> str:
        if endpoint.days is None:
            return self.words[f"observation_{endpoint.side}"]
        if endpoint.days == 0:
            return self.words["that_day"]
        return self.say("before" if endpoint.days < 0 else "after", n=abs(endpoint.days))

    # ---- events

    def criterion(self, criterion: m.Criterion, depth: int) -> Iterator[str]:
        event = self.words[criterion.domain]
        if criterion.concepts is not None:
            event = self.say("of_set", event=event, set=self.sets[criterion.concepts])
        elif not criterion.first:
            event = self.say("any_event", event=event)
        if criterion.first:
            event = self.say("first_ever", event=event)
        asked = self.attributes(criterion.of.attributes, criterion.attributes)
        if criterion.adjust is not None:
            asked.append(self.adjustment(criterion.adjust))
        yield "  " * depth + f"- {event}" + (f" ({'; '.join(asked)})" if asked else "")
        if criterion.where is not None and not criterion.where.empty:
            yield "  " * (depth + 1) + self.say("around")
            yield from self.group(criterion.where, depth + 1, "inner")

    def adjustment(self, adjust: m.Adjustment) -> str:
        return self.say(
            "adjust",
            start=self.words[f"event_{adjust.start_with}"],
            start_days=f"{adjust.start_days:+d}",
            end=self.words[f"event_{adjust.end_with}"],
            end_days=f"{adjust.end_days:+d}",
        )

    def attributes(self, table: tuple[Attribute, ...], given: tuple[tuple[str, Any], ...]) -> list[str]:
        kinds = {attribute.name: attribute.kind for attribute in table}
        words = {name: self.words["a_" + name.removesuffix("_set")] for name, _ in given}
        return [f"{words[name]} {self.value(kinds[name], value)}" for name, value in given]

    def value(self, kind: str, value: Any) -> str:
        if isinstance(value, m.Range):
            ends = [
                one.isoformat() if isinstance(one, date) else str(one)
                for one in (value.value, value.extent)
                if one is not None
            ]
            return self.say(f"r_{value.op}", value=ends[0], extent=ends[-1])
        if isinstance(value, m.TextFilter):
            return self.say(f"t_{value.op}", text=value.text)
        if isinstance(value, m.Listed):
            concepts = ", ".join(self.concept(each) for each in value.concepts)
            return self.say("not_in" if value.exclude else "in", what=concepts or self.say("no_concepts"))
        if isinstance(value, m.Selection):
            if value.set is None:
                return self.words["absent" if value.exclude else "present"]
            return self.say("not_in" if value.exclude else "in", what=self.sets[value.set])
        if isinstance(value, m.Days):
            return self.days(value)
        return self.say("in", what=self.sets[value]) if kind == "set" else self.words["yes"]

    def days(self, days: m.Days) -> str:
        first, last = (one.isoformat() if one else "…" for one in (days.first, days.last))
        return f"{first} – {last}"
