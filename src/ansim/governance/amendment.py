"""Amendments: what changes between two versions of the terms, whom each change touches, and so who signs again.

A party signs what takes more from it. A change that only narrows (fewer areas, fewer people, an earlier end, a stricter
output rule) takes nothing more from any holder and is signed by the user organisation, which always signs. A change
that widens is signed by every holder that it reaches: by all, or by the one that joins, is linked, or whose fee it is.
What cannot be compared counts as wider and reaches all. Every node finds this out by itself from the two versions; it
is never told who need not sign.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ansim.documents import canonical
from ansim.governance import areas, uses
from ansim.governance.terms import parties

NAMES_ITSELF = ("ansim", "id", "version", "supersedes")


@dataclass(frozen=True)
class Change:
    """One field that differs. widens: it takes more from the parties in `touches` (the user organisation apart)."""

    field: str
    before: Any
    after: Any
    touches: tuple[str, ...]

    @property
    def widens(self) -> bool:
        return bool(self.touches)

    def as_data(self) -> dict:
        return {"field": self.field, "before": self.before, "after": self.after, "touches": list(self.touches)}


def changes(before: dict, after: dict, *, query_within: bool = False) -> list[Change]:
    """Every field that differs between two versions, in the order of the terms.

    query_within: the research library has found that the new query asks for nothing beyond the old one."""
    found = []
    holders = tuple(holder["id"] for holder in after["holders"])
    for field in dict.fromkeys([*before, *after]):
        old, new = before.get(field), after.get(field)
        if field in NAMES_ITSELF or _same(old, new):
            continue
        touched: Iterable[str]
        if field == "query":
            touched = () if query_within else holders
        elif field in REACH:
            touched = REACH[field](before, after)
        else:
            touched = () if field in NARROWS and NARROWS[field](old, new) else holders
        found.append(Change(field, old, new, tuple(sorted(set(touched) & set(holders)))))
    return found


def signers(before: dict | None, after: dict, *, query_within: bool = False, joining: str = "") -> list[str]:
    """Who must sign `after` for it to come into force, in the order of the parties.

    before: the version in force here, None for the first one. joining: a site that has no version before although
    others have. A holder then asks for its own signature, the user's, and those of whom it is to be linked with; a
    linkage body for those whom it links; a centre for all."""
    every = parties(after)
    if before is None:
        if not joining or after["version"] == 1:
            return every
        linkage = after["linkage"] or {"holders": []}
        if joining in every:
            wanted = {joining, *(linkage["holders"] if joining in linkage["holders"] else [])}
        elif joining in (linkage.get("key_agency"), linkage.get("linker")) and joining != after["place"]["centre"]:
            wanted = set(linkage["holders"])
        else:
            return every
    else:
        wanted = {party for change in changes(before, after, query_within=query_within) for party in change.touches}
        if after["user"]["id"] != before["user"]["id"]:
            return every
    return [party for party in every if party == after["user"]["id"] or party in wanted]


def _same(old: Any, new: Any) -> bool:
    return canonical(old) == canonical(new)


def _fewer(old: Any, new: Any) -> bool:
    return set(new) <= set(old)


def _lower(old: int | None, new: int | None) -> bool:
    """None: without limit."""
    return new is not None and (old is None or new <= old)


def _members(old: list[dict], new: list[dict]) -> bool:
    """Nobody new, nobody with another role or key."""
    held = [canonical(member) for member in old]
    return all(canonical(member) in held for member in new)


def _stricter(old: dict, new: dict) -> bool:
    return set(old) == set(new) and all(new[name] >= old[name] for name in old)


NARROWS: dict[str, Callable[[Any, Any], bool]] = {
    "members": _members,
    "areas": lambda old, new: all(areas.covers(old, area) for area in new),
    "investigations": lambda old, new: new is not None and (old is None or all(uses.covers(old, one) for one in new)),
    "modes": _fewer,
    "place": lambda old, new: old["centre"] == new["centre"] and not new["remote"],
    "max_persons": _lower,
    "not_before": lambda old, new: new >= old,
    "not_after": lambda old, new: new <= old,
    "output": _stricter,
    "destruction": lambda old, new: (
        set(old) == set(new) == {"within_days"} and new["within_days"] <= old["within_days"]
    ),
}


def _joined(before: dict, after: dict) -> set[str]:
    """Holders that are new or named otherwise. Whoever left has nothing to sign: its data are used no more."""
    held = [canonical(holder) for holder in before["holders"]]
    return {holder["id"] for holder in after["holders"] if canonical(holder) not in held}


def _linked(before: dict, after: dict) -> set[str]:
    """All that are or become linked; nobody where the linkage ends."""
    if after["linkage"] is None:
        return set()
    return {*(before["linkage"] or {}).get("holders", []), *after["linkage"]["holders"]}


def _charged(before: dict, after: dict) -> set[str]:
    """Holders whose fee differs; all where fees are no list of one entry a holder."""
    every = {holder["id"] for holder in after["holders"]}
    sides = [before["fees"] or [], after["fees"] or []]
    if not all(
        isinstance(side, list) and all(isinstance(fee, dict) and "holder" in fee for fee in side) for side in sides
    ):
        return every
    old, new = ({fee["holder"]: canonical(fee) for fee in side} for side in sides)
    return {holder for holder in old.keys() | new.keys() if old.get(holder) != new.get(holder)}


def _one_a_holder(fees: Any) -> bool:
    named = isinstance(fees, list) and all(isinstance(fee, dict) and "holder" in fee for fee in fees)
    return named and len({fee["holder"] for fee in fees}) == len(fees)


REACH: dict[str, Callable[[dict, dict], set[str]]] = {"holders": _joined, "linkage": _linked, "fees": _charged}
