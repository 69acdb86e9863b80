"""The dataset's label in the twelve core dimensions of the European QUANTUM label (EHDS, article 78).

QUANTUM states a level for each metric of a dimension and asks for the evidence. What our own checks measure is stated
here with its evidence and the level that QUANTUM's own wording gives it; what only the holder can know is asked, never
guessed. Levels are QUANTUM's (0 up to 2 for these metrics); no overall score is made. The mapping is in
docs/data/quality.md; names, groups, weights: `label.toml`.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ansim.data.quality.run import FAIL, NOT_APPLICABLE, PASS, Result

KIND = "quality-label/1"
CONSISTENCY = {"Plausibility"}
VALIDITY_TYPES = {"cdmTable", "cdmField", "cdmDatatype", "isRequired", "isPrimaryKey", "isForeignKey"}
CODE_TYPES = {"fkDomain", "fkClass", "isStandardValidConcept"}


@dataclass(frozen=True)
class Dimension:
    name: str
    group: str
    weight: float
    level: str
    title: dict[str, str]
    asks: dict[str, str]


@cache
def dimensions() -> tuple[Dimension, ...]:
    text = files(__package__).joinpath("label.toml").read_text(encoding="utf-8")
    return tuple(Dimension(name=name, **values) for name, values in tomllib.loads(text).items())


def label(
    results: Sequence[Result],
    *,
    version: str,
    compared: bool,
    source: dict[str, Any],
    stated: dict[str, int] | None = None,
) -> dict[str, Any]:
    """The label of one dataset version.

    compared: whether it was compared with the version before (coherence). source: of `dqd.source_of`. stated: levels
    that the holder states by dimension, for those that are asked. Returns {"ansim", "version", "dimensions": [{name,
    level, basis, held, broken}]}: level None is not known; basis is "measured", "stated" or "asked"; held and broken
    are counts of our checks, the evidence.
    """
    stated = stated or {}
    told = []
    for dimension in dimensions():
        level, evidence = _measured(dimension.level, results, compared, source)
        basis = "asked" if level is None else "measured"
        if level is None and dimension.name in stated:
            level, basis = stated[dimension.name], "stated"
        counts = {verdict: sum(one.verdict == verdict for one in evidence) for verdict in (PASS, FAIL)}
        told.append(
            {"name": dimension.name, "level": level, "basis": basis, "held": counts[PASS], "broken": counts[FAIL]}
        )
    return {"ansim": KIND, "version": version, "dimensions": told}


def _measured(
    how: str, results: Sequence[Result], compared: bool, source: dict[str, Any]
) -> tuple[int | None, list[Result]]:
    """(level, evidence). Completeness, consistency, validity: documented for all variables (2) by this very run."""
    if how == "completeness":
        return _documented(results, lambda one: one.type.category == "Completeness")
    if how == "consistency":
        return _documented(results, lambda one: one.type.category in CONSISTENCY or one.check.type in CODE_TYPES)
    if how == "validity":
        return _documented(results, lambda one: one.check.type in VALIDITY_TYPES)
    if how == "coherence":  # "some": versions were compared, by tables, codes and units; 0 is never claimed of a holder
        return (1 if compared else None), []
    if (
        how == "dictionary"
    ):  # the model's own dictionary describes every field; units and allowed values do not stand there
        return 1, []
    if how == "source":
        return (1 if source.get("sourceDescription") or source.get("cdmSourceName") else None), []
    return None, []


def _documented(results: Iterable[Result], of: Any) -> tuple[int | None, list[Result]]:
    evidence = [one for one in results if of(one)]
    looked = [one for one in evidence if one.verdict != NOT_APPLICABLE]
    return (2 if looked else None), evidence
