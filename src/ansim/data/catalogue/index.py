"""An index of dataset descriptions in memory: words of titles, keywords, holders and texts, and of their variables.

A variable counts by how many of the dataset's people have it, so that data about diabetes come before data in which a
few people had their HbA1c measured. Concepts are indexed once, whatever the number of datasets that have them.
"""

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ansim.data.catalogue import words

WEIGHTS = {"title": 6.0, "keyword": 4.0, "holder": 6.0, "description": 2.0}
VARIABLE = 3.0  # of a variable that all people have
FAINT = 0.3  # share that a variable counts for at least
CLOSE, COMPOUND = 0.5, 0.7  # of a word of the same beginning; of a known word inside a compound
NOTHING = np.array([], dtype=int)


@dataclass
class _Concept:
    """A variable by its name, in all datasets that have it: their places, and the share of their people."""

    datasets: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)


class Index:
    """Made once for a set of descriptions (dataset/1); asked many times. Not changed after it is made."""

    def __init__(self, descriptions: Sequence[dict]):
        self.descriptions = list(descriptions)
        self.variables: list[list[int]] = []  # for each description the numbers of its variables' concepts
        fields: dict[str, dict[str, set[int]]] = {name: defaultdict(set) for name in WEIGHTS}
        of_term: dict[str, set[int]] = defaultdict(set)
        concepts: list[_Concept] = []
        known: dict[tuple, int] = {}
        for place, one in enumerate(self.descriptions):
            for name, text in _texts(one):
                for term in words.terms(text):
                    fields[name][term].add(place)
            whole = one["people"] or max((row["people"] or 0 for row in one["variables"]), default=0) or 1
            self.variables.append([])
            for row in one["variables"]:
                key = (row["event"], row["concept_id"], row["name"])
                if key not in known:
                    known[key] = len(concepts)
                    concepts.append(_Concept())
                    for term in words.terms(row["name"]):
                        of_term[term].add(known[key])
                concepts[known[key]].datasets.append(place)
                concepts[known[key]].shares.append(min(1.0, (row["people"] or 0) / whole))
                self.variables[-1].append(known[key])
        self._fields = {name: _arrays(postings) for name, postings in fields.items()}
        self._of_term = _arrays(of_term)
        self._concepts = [(np.array(one.datasets), np.array(one.shares)) for one in concepts]
        self._latin = sorted({term for each in (*fields.values(), of_term) for term in each if term.isascii()})

    def search(self, query: str) -> tuple[np.ndarray, set[int]]:
        """(score of each description, the concepts that fit).

        Only descriptions that fit as much of the question as any does have a score; words that nothing fits count for
        nothing, unless all are such.
        """
        total = len(self.descriptions)
        score, fitted, fitting = np.zeros(total), np.zeros(total), set()
        for word in words.asked(query):
            own, concepts = self._word(word)
            if (number := int(np.count_nonzero(own))) == 0:
                continue
            weight = math.log(1 + total / number)
            score += own * weight
            fitted += (own > 0) * weight
            fitting |= concepts
        score[fitted < fitted.max(initial=0) - 1e-9] = 0
        return score, fitting

    def _word(self, word: str) -> tuple[np.ndarray, set[int]]:
        """Best score of each description by the word, its meanings, or words near to it; and the concepts that fit."""
        best, concepts = np.zeros(len(self.descriptions)), set()
        for phrase, share in _meanings(word):
            found, also = self._phrase(words.needed(phrase))
            np.maximum(best, found * share, out=best)
            concepts |= also
        if words.is_korean(word):
            if not best.any():
                for known in words.within(word):
                    found, also = self._word(known)
                    np.maximum(best, found * COMPOUND, out=best)
                    concepts |= also
        elif " " not in word:
            for near in self._near(word):
                found, also = self._phrase(frozenset([near]))
                np.maximum(best, found * CLOSE, out=best)
                concepts |= also
        return best, concepts

    def _phrase(self, needed: frozenset[str]) -> tuple[np.ndarray, set[int]]:
        found = np.zeros(len(self.descriptions))
        for name, postings in self._fields.items():
            held = _all(postings, needed)
            found[held] = np.maximum(found[held], WEIGHTS[name])
        concepts = set(_all(self._of_term, needed).tolist())
        extra = np.zeros(len(self.descriptions))
        for number in concepts:
            datasets, shares = self._concepts[number]
            extra[datasets] = np.maximum(extra[datasets], VARIABLE * np.maximum(shares, FAINT))
        return found + extra, concepts

    def _near(self, word: str) -> Iterable[str]:
        """Indexed words with the same beginning: hypothyroid and hypothyroidism, cirrhotic and cirrhosis."""
        own = words.stem(word)
        if len(own) < words.PREFIX or own.isdigit():
            return
        place = bisect.bisect_left(self._latin, own[: words.PREFIX])
        while place < len(self._latin) and self._latin[place].startswith(own[: words.PREFIX]):
            other = self._latin[place]
            shared = next(
                (n for n, (a, b) in enumerate(zip(own, other, strict=False)) if a != b), min(len(own), len(other))
            )
            if other != own and (shared == len(own) or shared >= 0.6 * max(len(own), len(other))):
                yield other
            place += 1


def _arrays(postings: dict[str, set[int]]) -> dict[str, np.ndarray]:
    return {term: np.array(sorted(places)) for term, places in postings.items()}


def _all(postings: dict[str, np.ndarray], needed: frozenset[str]) -> np.ndarray:
    """What stands under every one of the terms."""
    lists = sorted((postings.get(term, NOTHING) for term in needed), key=len)
    held = lists[0] if lists else NOTHING
    for other in lists[1:]:
        held = np.intersect1d(held, other, assume_unique=True)
    return held


def _shared(one: str, other: str) -> int:
    """Letters that two words have in common at their beginning."""
    unlike = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(unlike, min(len(one), len(other)))


def _meanings(word: str) -> list[tuple[str, float]]:
    return [(word, 1.0), *((meaning, 0.9) for meaning in words.synonyms().get(word, ()))]


def _texts(one: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for text in one["title"].values():
        yield "title", text
    for text in one["holder"]["name"].values():
        yield "holder", text
    for text in one["description"].values():
        yield "description", text
    for group in one["keywords"].values():
        for text in group:
            yield "keyword", text
