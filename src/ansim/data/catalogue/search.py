"""Search over dataset descriptions in Korean and English, without an engine.

Korean has no spaces inside compounds and its particles stick to words, so Hangul is indexed by single syllables and
pairs of them (one syllable is needed for words such as 암, pairs for precision); Latin text by words. A Korean query is
widened by the English clinical words of `synonyms_ko.csv`, because concept names are English.
"""

import csv
import math
import re
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any

WEIGHTS = {"title": 6, "keyword": 5, "variable": 2, "description": 1}
WORD = re.compile(r"[0-9a-z]+|[가-힣]+")
PAIR_WEIGHT, SINGLE_WEIGHT = 1.0, 0.1


def search(descriptions: list[dict], query: str, language: str = "ko") -> list[dict]:
    """The descriptions that match, best first: [{"description", "score", "variables"}].

    variables: entries of the description that match (at most 10). An empty query gives all, by title in `language`.
    Every word of the query must be found (itself or by a synonym).
    """
    words = WORD.findall(query.lower())
    if not words:
        ordered = sorted(descriptions, key=lambda one: (one["title"].get(language, ""), one["id"]))
        return [{"description": one, "score": 0, "variables": []} for one in ordered]
    indexed = [(one, _index(one)) for one in descriptions]
    common = Counter(term for _, terms in indexed for term in terms)
    alternatives = [[terms_of(option) for option in [word, *synonyms().get(word, ())]] for word in words]
    found = []
    for one, terms in indexed:
        scores = [max(_score(option, terms, common, len(indexed)) for option in options) for options in alternatives]
        if all(score > 0 for score in scores):
            found.append({"description": one, "score": sum(scores), "variables": _matching(one, alternatives)})
    return sorted(found, key=lambda hit: (-hit["score"], hit["description"]["id"]))


def terms_of(text: str) -> dict[str, float]:
    """Terms with their weight: Latin words whole, Hangul as pairs of syllables and single ones."""
    terms: dict[str, float] = {}
    for word in WORD.findall(text.lower()):
        if word[0] < "가":
            terms[_stem(word)] = PAIR_WEIGHT
            continue
        terms |= {single: max(SINGLE_WEIGHT, terms.get(single, 0)) for single in word}
        terms |= {word[place : place + 2]: PAIR_WEIGHT for place in range(len(word) - 1)}
        if len(word) == 1:
            terms[word] = PAIR_WEIGHT
    return terms


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """Korean clinical words and the English words that concept names use for them."""
    text = files(__package__).joinpath("synonyms_ko.csv").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["korean"], []).append(row["english"])
    return {word: tuple(english) for word, english in found.items()}


def _index(one: dict) -> dict[str, float]:
    index: dict[str, float] = {}
    for weight, text in _texts(one):
        for term, share in terms_of(text).items():
            index[term] = max(index.get(term, 0), weight * share)
    return index


def _texts(one: dict) -> list[tuple[int, str]]:
    texts = [(WEIGHTS["title"], text) for text in [*one["title"].values(), *one["holder"]["name"].values()]]
    texts += [(WEIGHTS["description"], text) for text in one["description"].values()]
    texts += [(WEIGHTS["keyword"], word) for group in one["keywords"].values() for word in group]
    return texts + [(WEIGHTS["variable"], variable["name"]) for variable in one["variables"]]


def _score(wanted: dict[str, float], terms: dict[str, float], common: Counter, total: int) -> float:
    """Zero unless all of the option's pairs (or its only syllable, or its words) are there."""
    needed = [term for term, share in wanted.items() if share == PAIR_WEIGHT]
    if not needed or any(term not in terms for term in needed):
        return 0.0
    return sum(terms[term] * math.log(1 + (1 + total) / (1 + common[term])) for term in needed) / len(needed)


def _matching(one: dict, alternatives: list[list[dict[str, float]]]) -> list[dict[str, Any]]:
    """The variables that match, those with more of the query's words first."""

    def hits(variable: dict) -> int:
        terms = terms_of(variable["name"])
        return sum(
            any(all(term in terms for term, share in option.items() if share == PAIR_WEIGHT) for option in options)
            for options in alternatives
        )

    ranked = sorted(((hits(variable), variable) for variable in one["variables"]), key=lambda pair: -pair[0])
    return [variable for count, variable in ranked if count][:10]


def _stem(word: str) -> str:
    """Plural s away: enough for clinical nouns, and harmless where it is wrong on both sides alike."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "is", "us")) else word
