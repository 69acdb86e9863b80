"""Re-identification risk of a table of people, over any quasi-identifiers; the unit is the person, not the row.

Sources: k-anonymity (Sweeney 2002), prosecutor, journalist and marketer risk (El Emam 2013), k-map (Sweeney 2002,
section on the wrapping of populations), delta-presence (Nergiz, Atzori, Clifton 2007); l and t in `sensitive`,
estimates without a population in `population`.

Missing values are the worst case: a missing quasi-identifier is a category of its own, never a dropped row, and `k`
and all policies rest on that reading. Reading it as a wildcard that agrees with every value can only widen a class,
so its k is never smaller; it is reported beside, as `k_wildcard`. For missing sensitive values see `sensitive`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np

from ansim.errors import N_, Problem
from ansim.privacy.deid import classes, hierarchy, population, sensitive
from ansim.privacy.deid.classes import Column

EQUAL, ORDERED = "equal", "ordered"


def report(
    con: duckdb.DuckDBPyConnection,
    table: str,
    quasi_identifiers: Sequence[str],
    sensitive: Iterable[str] | Mapping[str, Any] = (),
    policy: Mapping | None = None,
    *,
    person: str | None = None,
    population: str | None = None,
    population_size: int | None = None,
) -> dict[str, Any]:
    """The risk of the people in a table (a name, or a query in brackets) as plain data.

    sensitive: columns, or {column: distance of t-closeness}: "equal", "ordered", or the steps of a hierarchy.
    policy, all optional: {"k", "l", "entropy_l", "recursive": {"c", "l"}, "t", "k_map", "delta": [low, high]}.
    person: the column that tells people apart where a person has several rows; without it each row is a person.
    population: the table of everybody of whom these are a sample (same columns), for k-map, journalist risk and
    delta-presence; population_size: only their number, for the estimates of `population`.

    Gives people, classes, k, k_wildcard, l, entropy_l, recursive_c and t per sensitive column, uniques, risks as
    shares of one (prosecutor_highest = 1/k; marketer, the mean over people = classes / people), distribution
    [{"size", "classes", "people"}], population (where asked), and met with the reasons it is not. No people: k is 0
    and no policy is met.
    """
    wanted = dict(policy or {})
    columns = dict(sensitive) if isinstance(sensitive, Mapping) else dict.fromkeys(sensitive, EQUAL)
    names = [*quasi_identifiers, *columns, *([person] if person else [])]
    read = classes.read(con, table, list(dict.fromkeys(names)))
    quasi = [read[name] for name in quasi_identifiers]
    who = read[person] if person else None
    keys, room = classes.pack(quasi)
    counted = classes.count(classes.people(keys, room, who), room)
    found = _figures(quasi_identifiers, counted, len(np.unique(who.codes)) if who else len(keys))
    found["k_wildcard"] = wildcard_k(keys, counted, quasi)
    found |= {name: {} for name in ("l", "entropy_l", "recursive_c", "t")}
    depth = int((wanted.get("recursive") or {}).get("l", 2))
    for name, distance in columns.items():
        for figure, value in _about(keys, room, read[name], who, distance, depth).items():
            found[figure][name] = value
    if population is not None:
        found["population"] = against(con, table, population, quasi_identifiers, person=person)
    elif population_size is not None:
        found["population"] = _estimated(found, population_size)
    reasons = _reasons(found, wanted)
    return found | {"met": not reasons, "reasons": reasons}


def _figures(names: Sequence[str], counted: classes.Counted, people: int) -> dict[str, Any]:
    sizes, numbers = np.unique(counted.sizes, return_counts=True)
    count, k = len(counted.sizes), int(sizes[0]) if len(sizes) else 0
    uniques = int(numbers[0]) if k == 1 else 0
    return {
        "quasi_identifiers": list(names),
        "people": people,
        "classes": count,
        "k": k,
        "uniques": uniques,
        "sample_uniqueness": uniques / people if people else 0.0,
        "prosecutor_highest": 1 / k if k else 0.0,
        "marketer": min(1.0, count / people) if people else 0.0,
        "distribution": [
            {"size": size, "classes": number, "people": size * number}
            for size, number in zip(sizes.tolist(), numbers.tolist(), strict=True)
        ],
    }


def _about(
    keys: np.ndarray, room: int, column: Column, person: Column | None, distance: Any, depth: int
) -> dict[str, Any]:
    """l and t of one sensitive column over all classes."""
    cells = sensitive.tabulate(keys, room, column, person)
    everybody = sensitive.shares(cells, column.levels)
    if distance == ORDERED:
        far = sensitive.ordered(cells, everybody)
    elif distance == EQUAL:
        far = sensitive.equal(cells, everybody)
    else:
        far = sensitive.hierarchical(cells, everybody, hierarchy.tree(column, distance))
    return {
        "l": sensitive.distinct(cells),
        "entropy_l": sensitive.entropy(cells),
        "recursive_c": sensitive.recursive(cells, depth),
        "t": float(far.max()) if len(far) else 0.0,
    }


def wildcard_k(keys: np.ndarray, counted: classes.Counted, quasi: Sequence[Column]) -> int:
    """The smallest class when a missing value agrees with every value: k itself where nothing is missing.

    Classes are grouped by which of their values are missing; two classes of two such patterns agree when they are
    equal on the columns that neither lacks, so each pair of patterns is one join by equality.
    """
    if not len(counted.keys):
        return 0
    if not any(column.holes for column in quasi):
        return int(counted.sizes.min())
    codes = np.stack([column.codes for column in quasi], axis=1)[classes.first_rows(keys)]
    patterns, of = np.unique(codes == 0, axis=0, return_inverse=True)
    of = of.reshape(-1)
    total = np.zeros(len(codes), dtype=np.int64)
    for a, lacks in enumerate(patterns):
        for b, misses in enumerate(patterns):
            shared = np.flatnonzero(~(lacks | misses))
            mine, theirs = np.flatnonzero(of == a), np.flatnonzero(of == b)
            total[mine] += _agreeing(codes[np.ix_(mine, shared)], codes[np.ix_(theirs, shared)], counted.sizes[theirs])
    return int(total.min())


def _agreeing(mine: np.ndarray, theirs: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """For each row of `mine` the sum of sizes of equal rows of `theirs`."""
    if not mine.shape[1]:
        return np.full(len(mine), sizes.sum())
    both = np.concatenate([mine, theirs])
    keys, _ = classes.pack([Column(part, int(part.max()) + 1, None) for part in both.T])
    _, place = np.unique(keys, return_inverse=True)
    sums = np.bincount(place[len(mine) :], sizes, minlength=int(place.max()) + 1)
    return sums[place[: len(mine)]].astype(np.int64)


def against(
    con: duckdb.DuckDBPyConnection, sample: str, everybody: str, names: Sequence[str], *, person: str | None = None
) -> dict[str, Any]:
    """A sample against the table of its whole population: k-map, journalist and marketer risk, delta-presence.

    delta: [least, greatest] share of a population class that is in the sample, over all classes of the population.
    A sample class that the population lacks is a contradiction, and a Problem.
    """
    chosen = [*names, *([person] if person else [])]
    listed = ", ".join(f'"{name}"' for name in chosen)
    both = f"(SELECT {listed}, 1 AS _in FROM {sample} UNION ALL BY NAME SELECT {listed}, 0 AS _in FROM {everybody})"
    read = classes.read(con, both, [*chosen, "_in"])
    keys, _ = classes.pack([read[name] for name in names])
    inside = read["_in"].values.to_numpy()[read["_in"].codes - 1] == 1
    _, place = np.unique(keys, return_inverse=True)
    number = int(place.max()) + 1 if len(place) else 0
    f, whole = (_sizes(place, side, read.get(person or ""), number) for side in (inside, ~inside))
    present = f > 0
    if not present.any():
        return {"k_map": 0, "journalist_highest": 0.0, "journalist_marketer": 0.0, "delta": [0.0, 0.0]}
    if (f > whole).any():
        raise Problem(
            "not-a-sample", N_("The sample has people whom the population does not have."), where=", ".join(names)
        )
    least = int(whole[present].min())
    return {
        "people": int(whole.sum()),
        "k_map": least,
        "journalist_highest": 1 / least,
        "journalist_marketer": float((f[present] / whole[present]).sum() / f.sum()),
        "population_uniques": int((whole[present] == 1).sum()),
        "delta": [float((f / whole).min()), float((f / whole).max())],
    }


def _sizes(place: np.ndarray, side: np.ndarray, person: Column | None, number: int) -> np.ndarray:
    keys = place[side]
    if person is not None:
        keys = classes.people(keys, number, Column(person.codes[side], person.levels, person.values))
    return np.bincount(keys, minlength=number)


def _estimated(found: Mapping, size: int) -> dict[str, Any]:
    frequencies = {each["size"]: each["classes"] for each in found["distribution"]}
    return population.estimate(frequencies, size)


def _reasons(found: Mapping, wanted: Mapping) -> list[str]:
    """What of a policy does not hold."""
    k = found["k"]
    reasons = [f"k = {k} < {wanted.get('k', 1)}"] if k < wanted.get("k", 1) else []
    for name in ("l", "entropy_l"):
        if name in wanted:
            reasons += [f"{name}({c}) = {v:.4g} < {wanted[name]}" for c, v in found[name].items() if v < wanted[name]]
    if "recursive" in wanted:
        c = wanted["recursive"]["c"]
        reasons += [f"recursive({n}) needs c > {v:.4g}, not {c}" for n, v in found["recursive_c"].items() if not v < c]
    if "t" in wanted:
        reasons += [f"t({n}) = {v:.4f} > {wanted['t']}" for n, v in found["t"].items() if v > wanted["t"] + 1e-12]
    about = found.get("population") or {}
    if "k_map" in wanted and about.get("k_map", 0) < wanted["k_map"]:
        reasons.append(f"k-map = {about.get('k_map', '?')} < {wanted['k_map']}")
    if "delta" in wanted:
        low, high = about.get("delta", (0.0, 1.0))
        if low < wanted["delta"][0] or high > wanted["delta"][1]:
            reasons.append(f"delta = {low:.3f} to {high:.3f}, not within {wanted['delta'][0]} to {wanted['delta'][1]}")
    return reasons


def compare(before: Mapping, after: Mapping) -> dict[str, dict]:
    """Two reports side by side: {figure: {"before", "after"}}."""
    figures = ("people", "classes", "k", "uniques", "sample_uniqueness", "prosecutor_highest", "marketer")
    return {name: {"before": before[name], "after": after[name]} for name in figures}
