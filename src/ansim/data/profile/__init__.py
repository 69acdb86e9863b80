"""What is in a CDM, in numbers that may be published: what Achilles shows and more, under the rules of `rules`.

Every number counts distinct people, or records next to the people behind them. Questions are asked of the engine where
the CDM lives; only counts come back.
"""

from collections.abc import Callable, Iterable
from typing import Any

import duckdb

from ansim.data.engine import DuckDB, Engine, answers
from ansim.data.profile import concepts, population, sql, tables, values
from ansim.data.profile.rules import SMALLEST_BASE, Rule, hide_together, protected

__all__ = ["SMALLEST_BASE", "Rule", "hide_together", "profile", "protected"]
FIRST = 0.9  # of the work lies in the first round of questions


def profile(
    source: Engine | duckdb.DuckDBPyConnection,
    *,
    threshold: int,
    base: int,
    progress: Callable[[str, float], None] = lambda name, done: None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """The profile of a CDM as a plain JSON object without floats (ranges are decimal text); docs/data/profile.md.

    source: an engine, or a DuckDB connection to an open CDM. progress: what comes next, and the share that is done.
    stopped: asked before each question. None means suppressed or not known. Age is completed years at the end of the
    year of a person's last record; with a concept, at the end of the year of the first.
    Raises Problem for a threshold below 2 or a base below 3, and Problem("stopped").
    """
    rule = Rule(threshold, base)
    engine = DuckDB(source) if isinstance(source, duckdb.DuckDBPyConnection) else source
    columns = engine.columns()
    events = sql.each_event(columns)
    first = {
        **population.queries(columns, events),
        **tables.queries(columns, events),
        **concepts.queries(events, columns),
        **values.queries(events, threshold),
    }
    found = answers(engine, first, progress=lambda name, done: progress(name, done * FIRST), stopped=stopped)
    of_concepts = concepts.assemble(events, found, rule)
    ranges = values.ranged(found, rule)
    second = {
        **tables.partial_queries(columns, found),
        **values.step_queries(events, ranges),
        **concepts.pair_queries(events, of_concepts["variables"]),
    }
    found |= answers(
        engine, second, progress=lambda name, done: progress(name, FIRST + done * (1 - FIRST)), stopped=stopped
    )
    people = found["population: people"][0][0]
    result = {
        "ansim": "profile/2",
        "threshold": threshold,
        "base": base,
        **population.assemble(found, rule),
        **tables.assemble(columns, found, rule),
        **of_concepts,
        "values": values.assemble(ranges, found, rule),
        "pairs": concepts.pairs(of_concepts["variables"], found, people, rule),
    }
    _with_ranges(result)
    _named(result, engine)
    return result


def _with_ranges(result: dict[str, Any]) -> None:
    """A variable's range is that of the unit that most of its people have."""
    commonest: dict[tuple, dict] = {}
    for one in result["values"]:
        commonest.setdefault((one["event"], one["concept_id"]), one)
    for variable in result["variables"]:
        found = commonest.get((variable["event"], variable["concept_id"]), {})
        variable["low"], variable["high"] = found.get("low"), found.get("high")
        variable["unit_concept_id"] = found.get("unit_concept_id") or None


def _named(result: dict[str, Any], engine: Engine) -> None:
    """Names and vocabularies of the concepts that are told of."""
    wanted = {one[key] for one in _objects(result) for key in ("concept_id", "unit_concept_id") if one.get(key)}
    names = {0: "No unit"}
    vocabularies: dict[int, str] = {}
    if wanted and "concept" in engine.columns():
        listed = ", ".join(map(str, sorted(wanted)))
        for concept, name, vocabulary in engine.rows(
            f"SELECT concept_id, concept_name, vocabulary_id FROM concept WHERE concept_id IN ({listed})"
        ):
            names[concept], vocabularies[concept] = name, vocabulary
    for kind in ("variables", "eras", "values", "sexes", "races", "ethnicities"):
        for one in result[kind]:
            one["name"] = names.get(one["concept_id"]) or str(one["concept_id"])
    for one in result["variables"]:
        one["vocabulary"] = vocabularies.get(one["concept_id"])
        one["unit"] = names.get(one.pop("unit_concept_id") or -1)
    for one in result["values"]:
        one["unit"] = names.get(one["unit_concept_id"]) or str(one["unit_concept_id"])
    for one in result["visits"].get("stays", []):
        one["name"] = names.get(one["concept_id"]) or str(one["concept_id"])


def _objects(value: Any) -> Iterable[dict]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
