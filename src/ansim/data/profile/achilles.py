"""A profile as rows of OHDSI's achilles_results, for tools that read those (ATLAS, Data Sources).

Only analyses whose meaning is the same are written, with Achilles' numbers (OHDSI Achilles 1.7.2, analysis details):
1 to 5 people; 102, 108, 110 to 113, 117 observation; 200, 400, 500, 600, 700, 800, 1800, 2100 people by concept and
201, 401, ... records; 220, 420, ... records by month; 900, 901, 1000, 1001 eras. Achilles counts records within
observation periods only, the profile counts all: those of a kind of event are written when `inside` finds no record
of that kind outside. Counts are rounded and small ones left out; concept 0 is not told.
"""

from collections.abc import Iterator

from ansim.data.engine import Engine
from ansim.data.profile import sql

COLUMNS = ("analysis_id", "stratum_1", "stratum_2", "stratum_3", "stratum_4", "stratum_5", "count_value")
ANALYSES = {"visit": 200, "condition": 400, "death": 500, "procedure": 600, "drug": 700, "observation": 800,
            "measurement": 1800, "device": 2100}  # fmt: skip
ERAS = {"drug_era": 900, "condition_era": 1000}


def inside(engine: Engine) -> set[str]:
    """The kinds of events, and eras, all of whose records begin within an observation period of their person."""
    columns = engine.columns()
    if "observation_period" not in columns:
        return set()
    eras = [era for era in sql.ERAS.values() if era.table in columns]
    return {
        event.kind
        for event in [*sql.each_event(columns), *eras]
        if not engine.rows(
            f"""SELECT COUNT(*) FROM {sql.known(event.table)} AND NOT EXISTS (
              SELECT 1 FROM observation_period AS o WHERE o.person_id = {event.table}.person_id
              AND {event.start} BETWEEN o.observation_period_start_date AND o.observation_period_end_date)"""
        )[0][0]
    }


def rows(profile: dict, inside: set[str]) -> Iterator[tuple]:
    """Rows of achilles_results in the order of COLUMNS; strata are text, as Achilles has them."""
    for analysis, count, *strata in _found(profile, inside):
        if count is not None:
            filled = [*map(str, strata), *[None] * (5 - len(strata))]
            yield analysis, *filled, count


def _found(profile: dict, inside: set[str]) -> Iterator[tuple]:
    yield 1, profile["people"]
    for analysis, kind in ((2, "sexes"), (4, "races"), (5, "ethnicities")):
        for row in profile[kind]:
            yield analysis, row["people"], row["concept_id"]
    for row in profile["birth_years"]:
        yield 3, row["people"], row["year"]
    yield from _observed(profile["observation"])
    for row in profile["variables"]:
        if row["event"] in inside:
            yield ANALYSES[row["event"]], row["people"], row["concept_id"]
            yield ANALYSES[row["event"]] + 1, row["records"], row["concept_id"]
    kinds = {event.table: event.kind for event in sql.EVENTS.values()}
    for row in profile["months"]:
        kind = kinds[row["table"]]
        if kind in inside and kind != "death":  # there is no analysis 520
            yield ANALYSES[kind] + 20, row["records"], row["month"].replace("-", "")
    for row in profile["eras"]:
        if row["era"] in inside:
            yield ERAS[row["era"]], row["people"], row["concept_id"]
            yield ERAS[row["era"]] + 1, row["records"], row["concept_id"]


def _observed(observation: dict[str, list[dict]]) -> Iterator[tuple]:
    for row in observation.get("first_age", []):
        if row["age"] < sql.OLDEST_BAND:  # the last one stands for all older ages
            yield 102, row["people"], row["sex"], row["age"]
    for row in observation.get("length_30_days", []):
        yield 108, row["people"], row["length"]
    for analysis, kind in ((110, "whole_months"), (111, "starts"), (112, "ends"), (117, "months")):
        for row in observation.get(kind, []):
            yield analysis, row["people"], row["month"].replace("-", "")
    for row in observation.get("periods", []):
        yield 113, row["people"], row["periods"]
