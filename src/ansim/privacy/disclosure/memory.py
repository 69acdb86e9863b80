"""What a node remembers of everything it released: the set of people behind each shown cell.

People are stored as small integers: the HMAC of the person id under a secret of the node names the person, and the
order in which the node first met that name is the code. So codes are stable over dataset versions, compress well as
Roaring bitmaps, and say nothing without the secret. None of this leaves the node.

`check` is exact for every sum and difference of cells between one level of the new table (its body, or one of its
margins) and one level of one earlier table (see cuts.py): pairs, nested and disjoint families. Not covered:
combinations over three or more tables or over several levels of one (within one table secondary suppression holds),
overlapping categories beyond pairs, facts from outside, changed values of unchanged people, and the refusal itself:
that a cell is hidden tells that an earlier release is near, so refusals go to a checker with the reason and to the
requester without.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import duckdb
import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.cuts import small_cut
from ansim.privacy.disclosure.exposure import Charge, Exposure
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import Released
from ansim.privacy.disclosure.rules import Finding
from ansim.privacy.disclosure.table import TOTAL, Key, Table


@dataclass(frozen=True)
class Record:
    """One entry of the store: kind ("people", "release", "anchor"), plain-JSON facts and opaque bytes."""

    kind: str
    facts: dict[str, Any]
    body: bytes


class Storage(Protocol):
    """Where a site keeps records: in the order of appending, durable when append returns."""

    def load(self) -> Iterable[Record]: ...

    def append(self, record: Record) -> None: ...


class ListStorage:
    """Records in a list, for notebooks and tests."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def load(self) -> Iterable[Record]:
        return list(self.records)

    def append(self, record: Record) -> None:
        self.records.append(record)


@dataclass(frozen=True)
class Asker:
    requester: str
    organisation: str


Family = list[tuple[Key, BitMap]]


@dataclass(frozen=True)
class Release:
    """What was shown once: families of disjoint sets of people, one per level of the table."""

    facts: dict[str, Any]
    families: tuple[Family, ...]


@dataclass(frozen=True)
class Anchor:
    """A set of people that a feasibility question once asked for, and the number that was shown for it."""

    facts: dict[str, Any]
    people: BitMap


@dataclass
class Memory:
    """Open with Memory(storage, secret, policy). secret: at least 16 bytes, stable, of this node only."""

    storage: Storage
    secret: bytes
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise Problem("memory-secret", N_("The node secret is too short."), remedy=N_("Use at least 16 bytes."))
        self._names = np.empty(0, np.uint64)
        self._codes = np.empty(0, np.uint32)
        self.releases: list[Release] = []
        self.anchors: list[Anchor] = []
        self.exposure = Exposure()
        self._questions: dict[str, int] = {}
        for record in self.storage.load():
            self._take(record)

    def codes(self, ids: pa.Array) -> np.ndarray:
        """The uint32 code of each person id; new people get the next codes, stored before they are used."""
        names = keyed_names(ids, self.secret)
        fresh = np.setdiff1d(names, self._names)
        if len(fresh):
            self._append(Record("people", {"count": len(fresh)}, fresh.astype("<u8").tobytes()))
        return self._codes[np.searchsorted(self._names, names)]

    def for_asker(self, asker: Asker) -> "MemoryFor":
        return MemoryFor(self, asker)

    def check(self, table: Table, shown: set[Key], asker: Asker) -> list[Finding]:
        """Cells of `shown` that, with releases which this asker could know by policy, isolate too few people.

        Of each unsafe combination one cell is named, and only the simplest combinations: without those cells the
        others may be harmless. So hide what is named and ask again until nothing is (protect.protect does).
        """
        families = _families({key: table.cells[key].people for key in shown})
        size = len(self._codes) + 1
        labels = [_labels(family, size) for family in families]
        found: dict[Key, tuple[int, Finding]] = {}
        for release in self.releases:
            if not self._may_know(release, asker):
                continue
            for old in release.families:
                members = [people.to_array() for _, people in old]
                for new, label in zip(families, labels, strict=True):
                    hit = _isolating(new, label, members, self.policy.threshold)
                    if hit and (hit[0] not in found or hit[1] < found[hit[0]][0]):
                        found[hit[0]] = hit[1], _difference(*hit, release, self.policy)
        fewest = min((cells for cells, _ in found.values()), default=0)
        return [finding for cells, finding in found.values() if cells == fewest]

    def remember(self, table: Table, released: Released, asker: Asker, now: datetime, **facts: Any) -> None:
        """Store the sets behind the shown cells. Call it in the transaction that releases, before anything leaves."""
        cells = [(key, table.cells[key].people.serialize()) for key in sorted(released.shown, key=str)]
        facts |= {
            "at": now.isoformat(),
            "requester": asker.requester,
            "organisation": asker.organisation,
            "spec": table.spec.digest,
            "cells": [[list(key), len(body)] for key, body in cells],
        }
        self._append(Record("release", facts, b"".join(body for _, body in cells)))

    @property
    def size(self) -> int:
        """How many people have a code."""
        return len(self._codes)

    def answered(self, question: str) -> Anchor | None:
        """The newest anchor of this question, if it was answered before."""
        place = self._questions.get(question)
        return None if place is None else self.anchors[place]

    def remember_anchor(self, people: BitMap, facts: dict[str, Any]) -> None:
        """facts: value, question, day (ordinal), asker; what was charged: cost to the people, and test_cost to each
        list of `tests`. The same question's people are stored once."""
        earlier = self._questions.get(facts["question"])
        if earlier is not None and self.anchors[earlier].people == people:
            self._append(Record("anchor", facts | {"same": earlier}, b""))
        else:
            self._append(Record("anchor", facts, people.serialize()))

    def _may_know(self, release: Release, asker: Asker) -> bool:
        if self.policy.audience == "anyone":
            return True
        return release.facts[self.policy.audience] == getattr(asker, self.policy.audience)

    def _append(self, record: Record) -> None:
        self.storage.append(record)
        self._take(record)

    def _take(self, record: Record) -> None:
        if record.kind == "people":
            names = np.frombuffer(record.body, "<u8").astype(np.uint64)
            codes = np.arange(len(self._codes), len(self._codes) + len(names), dtype=np.uint32)
            names, codes = np.concatenate([self._names, names]), np.concatenate([self._codes, codes])
            order = np.argsort(names, kind="stable")
            self._names, self._codes = names[order], codes[order]
        elif record.kind == "release":
            self.releases.append(Release(record.facts, tuple(_families(_unpack(record)))))
        elif record.kind == "anchor":
            self._take_anchor(record)
        else:
            raise Problem("memory-record", N_("The memory has an entry of unknown kind {kind}."), kind=record.kind)

    def _take_anchor(self, record: Record) -> None:
        facts = record.facts
        people = self.anchors[facts["same"]].people if "same" in facts else BitMap.deserialize(record.body)
        self._questions[facts["question"]] = len(self.anchors)
        self.anchors.append(Anchor(facts, people))
        charged = [(people, facts.get("cost", 0.0))]
        charged += [(BitMap(apart), facts["test_cost"]) for apart in facts.get("tests", ())]
        for whom, cost in charged:
            if cost:
                self.exposure.charges.append(Charge(facts["day"], facts["asker"], whom, cost))


@dataclass(frozen=True)
class MemoryFor:
    """A memory bound to who asks: what protect.protect takes."""

    memory: Memory
    asker: Asker

    def check(self, table: Table, shown: set[Key]) -> list[Finding]:
        return self.memory.check(table, shown, self.asker)


def keyed_names(ids: pa.Array, secret: bytes) -> np.ndarray:
    """First 64 bits of HMAC-SHA-256 (RFC 2104) of each id's text, as uint64, computed as a set in DuckDB.

    64 bits: among 52 million people two share a name with probability 7e-5, and then count as one person.
    """
    block = secret.ljust(64, b"\0") if len(secret) <= 64 else hashlib.sha256(secret).digest().ljust(64, b"\0")
    inner, outer = bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("ids", pa.table({"row": pa.array(np.arange(len(ids))), "id": ids}))
        named = connection.sql(
            """SELECT left(sha256($outer || unhex(sha256($inner || encode(id::VARCHAR)))), 16) AS name
               FROM ids ORDER BY row""",
            params={"outer": outer, "inner": inner},
        ).to_arrow_table()
    text = "".join(named["name"].to_pylist())
    return np.frombuffer(bytes.fromhex(text), ">u8").astype(np.uint64)


def _unpack(record: Record) -> dict[Key, BitMap]:
    cells, start = {}, 0
    for key, length in record.facts["cells"]:
        cells[tuple(key)] = BitMap.deserialize(record.body[start : start + length])
        start += length
    return cells


def _families(cells: dict[Key, BitMap]) -> list[Family]:
    """Cells by level (which dimensions are summed over); cells that overlap each stand alone, so pairs stay exact."""
    levels: dict[tuple[bool, ...], Family] = {}
    for key, people in cells.items():
        if people:
            levels.setdefault(tuple(part == TOTAL for part in key), []).append((key, people))
    families: list[Family] = []
    for family in levels.values():
        union = BitMap.union(*(people for _, people in family))
        disjoint = len(union) == sum(len(people) for _, people in family)
        families += [family] if disjoint else [[cell] for cell in family]
    return families


def _labels(family: Family, size: int) -> np.ndarray:
    """For each person code: 1 + the place of its cell in the family, 0 for nobody's."""
    label = np.zeros(max(size, max(people.max() for _, people in family) + 1), np.int32)
    for place, (_, people) in enumerate(family):
        label[people.to_array()] = place + 1
    return label


def _isolating(new: Family, label: np.ndarray, old: Sequence[Any], threshold: int) -> tuple[Key, int] | None:
    """The new cell most to blame and the number of new cells, of a combination of both families that differs by
    1 … threshold-1 people; None if none does."""
    shared = np.zeros((len(new) + 1, len(old)), np.int64)
    for column, members in enumerate(old):
        codes = np.asarray(members, np.uint32)
        outside = int((codes >= len(label)).sum())
        shared[:, column] = np.bincount(label[codes[codes < len(label)]], minlength=len(new) + 1)
        shared[0, column] += outside
    alone = np.array([len(people) for _, people in new]) - shared[1:].sum(axis=1)
    if (alone >= threshold).all() and (shared[0] >= threshold).all():
        return None  # every cell hangs on "outside" by at least the threshold: no small cut
    size = 1 + len(new) + len(old)
    weights = np.zeros((size, size), np.int64)
    weights[0, 1 : len(new) + 1] = alone
    weights[0, len(new) + 1 :] = shared[0]
    weights[1 : len(new) + 1, len(new) + 1 :] = shared[1:]
    weights += weights.T
    side = small_cut(weights, threshold)
    mine = [node for node in sorted(side or ()) if node <= len(new)]
    if not side or not mine:
        return None
    theirs = [node for node in sorted(side) if node > len(new)]
    others = [node for node in range(size) if node not in side]
    crossing = weights[:, others].sum(axis=1)
    shares = weights[np.ix_(mine, theirs)] / np.maximum(weights[theirs].sum(axis=1), 1)
    blame = crossing[mine] + shares @ crossing[theirs]
    return new[mine[int(blame.argmax())] - 1][0], len(mine)


def _difference(key: Key, cells: int, release: Release, policy: Policy) -> Finding:
    return Finding(
        "difference",
        (key,),
        N_("With {cells} such cells and the release of {at}, fewer than {threshold} people would be singled out."),
        N_("Use the earlier release, or a question that differs by more people."),
        "HUN 4.6: differencing and linked tables",
        {
            "cells": cells,
            "at": release.facts["at"],
            "threshold": policy.threshold,
            "release": release.facts.get("id", ""),
        },
    )
