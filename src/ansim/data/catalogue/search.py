"""Search over dataset descriptions: words in Korean and English, filters, and how many people have what since when."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ansim.data.catalogue.index import Index

MOST_VARIABLES = 10


@dataclass(frozen=True)
class Filters:
    """What a dataset must also be. people: at least so many have what the words say (or are in the data), since the
    year `since` if one is given. None and "" ask for nothing."""

    holder: str = ""
    area: str = ""
    duo: str = ""
    event: str = ""
    since: int | None = None
    people: int | None = None


@dataclass(frozen=True)
class Found:
    """What fits a question, best first; entries are made only for the part that is looked at."""

    index: Index
    order: list[int]
    score: np.ndarray
    fitting: set[int]
    filters: Filters

    def __len__(self) -> int:
        return len(self.order)

    def hits(self, start: int = 0, stop: int | None = None) -> list[dict[str, Any]]:
        """[{"description", "score", "variables", "people"}]; variables: those that fit, at most 10, those that most
        people have first. people: the most of them (since the year of the filter), or those of the dataset when no
        variable fits; None when suppressed."""
        return [self._hit(place) for place in self.order[start:stop]]

    def _hit(self, place: int) -> dict[str, Any]:
        one = self.index.descriptions[place]
        rows = zip(one["variables"], self.index.variables[place], strict=True)
        fit = [{**row, "people": people_since(row, self.filters.since)} for row, own in rows if own in self.fitting]
        fit = sorted(fit, key=lambda row: -(row["people"] or 0))[:MOST_VARIABLES]
        people = fit[0]["people"] if fit else one["people"]
        return {"description": one, "score": float(self.score[place]), "variables": fit, "people": people}


def find(index: Index, query: str, language: str = "ko", filters: Filters | None = None) -> Found:
    """What fits the words and the filters. An empty query gives all, by title in `language`."""
    filters = filters or Filters()
    if query.strip():
        score, fitting = index.search(query)
    else:
        score, fitting = np.ones(len(index.descriptions)), set()
    held = score > 0
    for name, value in (("holder", filters.holder), ("area", filters.area), ("duo", filters.duo),
                        ("event", filters.event)):  # fmt: skip
        if value:
            held &= _facet(index, name).get(value, np.zeros(len(held), bool))
    found = Found(index, [], score, fitting, filters)
    order = [place for place in held.nonzero()[0].tolist() if _enough(found, place)]
    if query.strip():
        order.sort(key=lambda place: (-score[place], index.descriptions[place]["id"]))
    else:
        order.sort(key=lambda place: (index.descriptions[place]["title"].get(language, ""), place))
    return replace(found, order=order)


def _enough(found: Found, place: int) -> bool:
    """Whether the dataset reaches the year and, for what the words say, the number of people of the filters."""
    coverage, since = found.index.descriptions[place]["coverage"], found.filters.since
    if since is not None and (not coverage or int(coverage["to"][:4]) < since):
        return False
    return found.filters.people is None or (found._hit(place)["people"] or 0) >= found.filters.people


def search(
    descriptions: list[dict] | Index, query: str, language: str = "ko", filters: Filters | None = None
) -> list[dict[str, Any]]:
    """All that fit, best first, as `Found.hits` gives them."""
    index = descriptions if isinstance(descriptions, Index) else Index(descriptions)
    return find(index, query, language, filters).hits()


def people_since(variable: dict, year: int | None) -> int | None:
    """People with a record of the variable in the year or later: the sum over the years of their last records.

    Years with too few people are not in it, so the true number may be higher; each year's number is rounded.
    """
    if year is None:
        return variable["people"]
    return sum(people for last, people in variable.get("last_years", []) if last >= year) or None


FACETS: dict[str, Callable[[dict], set[str]]] = {
    "holder": lambda one: {one["holder"]["id"]},
    "area": lambda one: set(one.get("access", {}).get("areas", [])),
    "duo": lambda one: set(one.get("access", {}).get("duo", [])),
    "event": lambda one: {row["event"] for row in one["variables"]},
}
_masks: WeakKeyDictionary[Index, dict[str, dict[str, np.ndarray]]] = WeakKeyDictionary()


def _facet(index: Index, name: str) -> dict[str, np.ndarray]:
    """For each value of a facet, which descriptions have it."""
    known = _masks.setdefault(index, {})
    if name not in known:
        held: dict[str, list[int]] = {}
        for place, one in enumerate(index.descriptions):
            for value in FACETS[name](one):
                held.setdefault(value, []).append(place)
        known[name] = {value: np.isin(np.arange(len(index.descriptions)), places) for value, places in held.items()}
    return known[name]


def facets(found: Found) -> dict[str, dict[str, int]]:
    """For each facet, how many of what was found has each value; the commonest first."""
    counted = {}
    for name in FACETS:
        numbers = {value: int(mask[found.order].sum()) for value, mask in _facet(found.index, name).items()}
        counted[name] = {value: n for value, n in sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0])) if n}
    return counted
