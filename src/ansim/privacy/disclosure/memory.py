"""What a node remembers of everything it released: the set of people behind each shown cell.

People are stored as small integers: the HMAC of the person id under a secret of the node names the person, and the
order in which the node first met that name is the code. So codes are stable over dataset versions, compress well as
Roaring bitmaps, and say nothing without the secret. None of this leaves the node.

What `check` decides is written in compare.py. The refusal itself tells something too: that a cell is hidden says that
an earlier release is near. So refusals go to a checker with the reason and to the requester without.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import duckdb
import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.compare import Compared, Family, Overlap, families
from ansim.privacy.disclosure.exposure import Charge, Exposure
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import Released
from ansim.privacy.disclosure.rules import Finding
from ansim.privacy.disclosure.table import VALUED, Key, Table


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
        new = self._families(table, shown)
        releases = [release for release in self.releases if self._may_know(release, asker)]
        old = [(family, release) for release in releases for family in release.families]
        found: dict[Key, tuple[int, Finding]] = {}
        for family in new:
            for key, cells, with_releases in self._isolating(Compared(family, self.size + 1), old):
                if key not in found or cells < found[key][0]:
                    found[key] = cells, _difference(key, cells, with_releases, self.policy)
        fewest = min((cells for cells, _ in found.values()), default=0)
        return [finding for cells, finding in found.values() if cells == fewest]

    def _isolating(
        self, new: Compared, old: list[tuple[Family, "Release"]]
    ) -> Iterator[tuple[Key, int, list["Release"]]]:
        """(key of the new cell, number of new cells, the releases) of each combination that isolates too few people."""
        threshold, keys = self.policy.threshold, new.family.keys
        overlaps = [new.overlap(family) for family, _ in old]
        for (_, release), overlap in zip(old, overlaps, strict=True):
            if hit := new.isolating(overlap, threshold):
                yield keys[hit[0]], hit[1], [release]
        for one, other in new.joined([family for family, _ in old], overlaps, threshold):
            both = Overlap(
                np.hstack([overlaps[one].shared, overlaps[other].shared]),
                np.hstack([overlaps[one].changed, overlaps[other].changed]),
            )
            if hit := new.isolating(both, threshold):
                yield keys[hit[0]], hit[1], [old[one][1], old[other][1]]
        cells = [(cell, release) for family, release in old for cell in family.cells]
        if cells:
            inside = np.hstack([overlap.shared[1:] for overlap in overlaps])
            sizes = np.concatenate([family.sizes for family, _ in old])
            for place, one, other in new.triples([cell for cell, _ in cells], sizes, inside, threshold):
                yield keys[place], 1, [cells[one][1], cells[other][1]]

    def _families(self, table: Table, shown: Iterable[Key]) -> list[Family]:
        shown = list(shown)
        marks = {key: self._marks(table.cells[key].contributions) for key in shown} if _has_values(table) else None
        return families({key: table.cells[key].people for key in shown}, table.spec.of or "", marks)

    def _marks(self, contributions: np.ndarray) -> np.ndarray:
        """Keyed 32-bit hashes of values (splitmix64, Steele et al. 2014): equal values, equal marks."""
        key = int.from_bytes(hashlib.sha256(b"marks" + self.secret).digest()[:8], "big")
        mixed = (contributions + 0.0).view(np.uint64) ^ np.uint64(key)  # + 0.0: one zero
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return (mixed ^ (mixed >> np.uint64(31))).astype(np.uint32)

    def remember(self, table: Table, released: Released, asker: Asker, now: datetime, **facts: Any) -> None:
        """Store the sets behind the shown cells. Call it in the transaction that releases, before anything leaves."""
        keys = sorted(released.shown, key=str)
        bodies = [table.cells[key].people.serialize() for key in keys]
        facts |= {
            "at": now.isoformat(),
            "requester": asker.requester,
            "organisation": asker.organisation,
            "spec": table.spec.digest,
            "cells": [[list(key), len(body)] for key, body in zip(keys, bodies, strict=True)],
        }
        if _has_values(table):
            facts["of"] = table.spec.of
            bodies += [self._marks(table.cells[key].contributions).astype("<u4").tobytes() for key in keys]
        self._append(Record("release", facts, b"".join(bodies)))

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
            self.releases.append(Release(record.facts, tuple(_unpack(record))))
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


def _unpack(record: Record) -> list[Family]:
    cells: dict[Key, BitMap] = {}
    marks: dict[Key, np.ndarray] = {}
    start = 0
    for key, length in record.facts["cells"]:
        cells[tuple(key)] = BitMap.deserialize(record.body[start : start + length])
        start += length
    for key in cells if "of" in record.facts else ():
        marks[key] = np.frombuffer(record.body, "<u4", len(cells[key]), start)
        start += 4 * len(cells[key])
    return families(cells, record.facts.get("of", ""), marks or None)


def _has_values(table: Table) -> bool:
    return table.spec.kind in VALUED


def _difference(key: Key, cells: int, releases: list[Release], policy: Policy) -> Finding:
    return Finding(
        "difference",
        (key,),
        N_("With {cells} such cells and the release of {at}, fewer than {threshold} people would be singled out."),
        N_("Use the earlier release, or a question that differs by more people."),
        "HUN 4.6: differencing and linked tables",
        {
            "cells": cells,
            "at": ", ".join(dict.fromkeys(release.facts["at"] for release in releases)),
            "threshold": policy.threshold,
            "release": ", ".join(str(release.facts.get("id", "")) for release in releases),
        },
    )
