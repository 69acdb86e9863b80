"""What changed since the last version, what other hospitals do not have, where time has holes: from portraits alone.

Thresholds are in the table below, each with its reason; they are ours, not DQD's.
"""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from ansim.data.cdm import EVENTS
from ansim.data.quality.findings import Finding
from ansim.data.quality.portrait import FINE

KEPT = 0.95  # of the rows of the same months: history is not rewritten by more than a few corrections
FELL = 0.05  # points of the share of filled rows
MOVED = 3.0  # times rarer or commoner
ENOUGH = 50  # rows of a code, a field or a unit before its share means anything
HALF = 0.5  # of the rows of the months around
SURE = 4.0  # standard deviations below what is expected: of a count, or of these months where they vary more
AROUND = 6  # months on either side
MANY = 1000  # rows of a table before its months are compared
OUTSIDE = 0.02  # of the values of a unit
USUAL = 0.002  # of the reference at each end is taken as unusual there too
WIDER = FINE // 4  # bins: a quarter beyond what the reference has
FOREIGN = 0.03  # of the people of a code at ages, or of a sex, where the others have (nearly) nobody
NOBODY = 0.001
PEOPLE = 100  # of a code at the other hospitals, before "nobody" means something
STARTS = {event.table: event.start for event in EVENTS.values()}
CONCEPTS = {event.table: event.concept for event in EVENTS.values()}


def since(now: dict[str, Any], before: dict[str, Any]) -> Iterator[Finding]:
    """Changes between two versions of one dataset."""
    yield from _lost(now, before)
    yield from _emptied(now, before)
    yield from _codes(now, before)
    yield from _units(now, before)


def _lost(now: dict[str, Any], before: dict[str, Any]) -> Iterator[Finding]:
    for table, rows in before["rows"].items():
        months = before["months"].get(table, {})
        if months:  # the last month of the older version may not have been whole
            whole = sorted(months)[:-1]
            was = sum(months[month] for month in whole)  # rows that were only moved to another day are not lost
            now_has = sum(n for month, n in now["months"].get(table, {}).items() if whole and month <= whole[-1])
        else:
            was, now_has = rows, now["rows"].get(table, 0)
        if was >= ENOUGH and now_has < KEPT * was:
            yield Finding("lost", table, "", "", was - now_has, was)


def _emptied(now: dict[str, Any], before: dict[str, Any]) -> Iterator[Finding]:
    for place, filled in before["filled"].items():
        table, _, field = place.partition(".")
        rows, was = now["rows"].get(table, 0), before["rows"][table]
        if min(rows, was) < ENOUGH or place not in now["filled"]:
            continue
        fell = filled / was - now["filled"][place] / rows
        if fell > FELL:
            yield Finding("emptied", table, field, "", round(fell * rows), rows)


def _codes(now: dict[str, Any], before: dict[str, Any]) -> Iterator[Finding]:
    for table, counts in before["concepts"].items():
        mine = now["concepts"].get(table, {})
        all_before, all_now = sum(counts.values()), sum(mine.values())
        if not all_now:
            continue
        for concept in counts.keys() | mine.keys():
            was, has = counts.get(concept, 0) / all_before, mine.get(concept, 0) / all_now
            expected = max(was, has) * min(all_before, all_now)
            if expected >= ENOUGH and max(was, has) > MOVED * min(was, has) and concept != "0" and was:
                yield Finding("code-moved", table, CONCEPTS[table], concept, mine.get(concept, 0), all_now)


def _units(now: dict[str, Any], reference: dict[str, Any]) -> Iterator[Finding]:
    """Values outside the reference's range, but for a single value that repeats (a placeholder)."""
    for unit, bins in now["values"].items():
        usual = reference["values"].get(unit, {})
        if sum(usual.values()) < ENOUGH or sum(bins.values()) < ENOUGH:
            continue
        low, high = _range(usual)
        rows = sum(n for place, n in bins.items() if not low - WIDER <= int(place) <= high + WIDER)
        for value, n in now["repeated"].get(unit, {}).items():
            if not low - WIDER <= math.floor(FINE * math.log(float(value))) <= high + WIDER:
                rows -= n
        if rows > OUTSIDE * sum(bins.values()):
            concept = unit.partition("/")[0]
            yield Finding("unit-mixed", "measurement", "value_as_number", concept, rows, sum(bins.values()))


def _range(bins: dict[str, int]) -> tuple[int, int]:
    """The bins between which all but the outermost share of the rows lie."""
    places = sorted((int(place), n) for place, n in bins.items())
    edge, ends = USUAL * sum(bins.values()), []
    for way in (places, places[::-1]):
        seen = 0.0
        for place, n in way:
            seen += n
            if seen > edge:
                ends.append(place)
                break
    return ends[0], ends[1]


def gaps(now: dict[str, Any]) -> Iterator[Finding]:
    """Months with less than half of what the months around them have, and tables that end before the others."""
    series = {table: _series(months) for table, months in now["months"].items() if sum(months.values()) >= MANY}
    last = max((numbers[-1][0] for numbers in series.values()), default="")
    for table, numbers in series.items():
        expected = _expected([n for _, n in numbers])
        usual = 1.4826 * median([abs(n - e) for (_, n), e in zip(numbers, expected, strict=True)])
        low = [n < HALF * e for (_, n), e in zip(numbers, expected, strict=True)]
        for begin, end in _runs(low):
            months = numbers[begin:end]
            rows, e = sum(n for _, n in months), sum(expected[begin:end])
            if e - rows > SURE * max(math.sqrt(e), usual * math.sqrt(len(months))):
                yield Finding("gap", table, STARTS[table], months[0][0], rows, round(e))
        if _number(last) - _number(numbers[-1][0]) > AROUND:
            yield Finding("ends-early", table, STARTS[table], numbers[-1][0], 0, 0)


def _runs(flags: list[bool]) -> Iterator[tuple[int, int]]:
    """(first, one past the last) of each run of true values."""
    start = None
    for place, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = place
        elif not flag and start is not None:
            yield start, place
            start = None


def _expected(counts: list[int]) -> list[float]:
    """The smaller of the medians of the months before and after: where a dataset begins or ends, one side is low."""
    found = []
    for place, n in enumerate(counts):
        before, after = counts[max(0, place - AROUND) : place], counts[place + 1 : place + 1 + AROUND]
        found.append(min(median(before), median(after)) if before and after else float(n))
    return found


def _series(months: dict[str, int]) -> list[tuple[str, int]]:
    """Each month from the first that has a fair number of rows to the last, empty ones too."""
    if not months:
        return []
    usual = median(months.values())
    fair = [month for month, n in months.items() if n >= usual / 4]
    first, last = _number(min(fair)), _number(max(fair))
    names = [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(first, last + 1)]
    return [(name, months.get(name, 0)) for name in names]


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def elsewhere(now: dict[str, Any], others: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Codes at ages, or in a sex, in which the other hospitals have nobody. others: shared portraits or whole ones."""
    for table, concepts in now["ages"].items():
        for concept, cells in concepts.items():
            theirs: dict[str, int] = {}
            for other in others:
                for cell, people in other["ages"].get(table, {}).get(concept, {}).items():
                    theirs[cell] = theirs.get(cell, 0) + people
            if sum(theirs.values()) >= PEOPLE:
                for kind, part in (("wrong-sex", slice(0, 1)), ("wrong-age", slice(1, None))):
                    yield from _foreign(kind, table, concept, cells, theirs, part)


def _foreign(
    kind: str, table: str, concept: str, cells: dict[str, int], theirs: dict[str, int], part: slice
) -> Iterator[Finding]:
    usual: dict[str, int] = {}
    for cell, people in theirs.items():
        usual[cell[part]] = usual.get(cell[part], 0) + people
    all_theirs, mine = sum(usual.values()), sum(cells.values())
    rare = {name for name in {cell[part] for cell in cells} if usual.get(name, 0) <= NOBODY * all_theirs}
    if kind == "wrong-age":  # next to an age that they have is no surprise
        near = {str(int(name) + step) for name, n in usual.items() if n > NOBODY * all_theirs for step in (-10, 10)}
        rare -= near
    people = sum(n for cell, n in cells.items() if cell[part] in rare)
    if people > max(FOREIGN * mine, 4):
        yield Finding(kind, table, CONCEPTS[table], concept, people, mine)
