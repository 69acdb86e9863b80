"""Stages 1 and 2: holders publish what they have; a researcher finds it."""

from collections.abc import Iterator
from typing import Any

from ansim.demo.journey import drawing, study
from ansim.demo.journey.promises import until
from ansim.demo.journey.world import Journey, Stage
from ansim.demo.nation import POLICY


def publish(journey: Journey) -> str:
    """Each steward has quality assessed, the CDM profiled and the description published."""
    hub = journey.person("researcher", study.HUB)
    for holder in study.HOLDERS:
        journey.at(holder, "steward").do("/datasets/publish/")

    def all_there() -> dict[str, dict]:
        listed = hub.get("/catalogue/")["datasets"]
        there = {each["holder"]: each for each in listed}
        return there if set(there) >= set(study.HOLDERS) else {}

    there = until(all_there, 300, "every holder's description in the catalogue")
    journey.facts["datasets"] = {holder: there[holder]["id"] for holder in study.HOLDERS}
    people = 0
    for holder in study.HOLDERS:
        page = hub.get(f"/catalogue/{there[holder]['id']}/")
        document = page["dataset"]
        fits = page["verified"] and document["holder"]["id"] == holder
        journey.promise(f"{holder}: the signature is the holder's and fits", fits)
        least = max(document["disclosure"]["threshold"], POLICY["threshold"])
        small = [(where, n) for where, n in counts(document) if n is not None and n < least]
        journey.promise(f"{holder}: no count below the holder's threshold", not small, small[:5])
        _complete(journey, holder, document)
        people += document["people"] or 0
    return f"4 stewards published signed descriptions of about {people:,} people"


def counts(value: Any, where: str = "") -> Iterator[tuple[str, int | None]]:
    """(path, number) of every count of people or records in a description."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"people", "records"}:
                yield f"{where}.{key}", inner
            else:
                yield from counts(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from counts(inner, f"{where}[{number}]")


def _complete(journey: Journey, holder: str, document: dict) -> None:
    """A description says what the issue asks for, and holds no row of a person."""
    rounded = [n % document["disclosure"]["rounding"] == 0 for _where, n in counts(document) if n]
    journey.promise(f"{holder}: every count is rounded", rounded and all(rounded))
    said = [document["title"]["ko"], document["coverage"], document["variables"], document["quality"]["categories"]]
    journey.promise(f"{holder}: title, coverage, variables and quality are described", all(said))
    named = {"person_id", "person_source_value", "birth_datetime"} & set(_keys(document))
    journey.promise(f"{holder}: no patient row is in it", not named, named)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def discover(journey: Journey) -> str:
    """The researcher searches in Korean and in English, and opens the pages."""
    hub = journey.person("researcher", study.HUB)
    hits = {}
    for language, words in {"ko": "부비동염", "en": "sinusitis"}.items():
        found = hub.get("/catalogue/", q=words)["datasets"]
        hits[language] = {each["holder"] for each in found}
        journey.promise(
            f"a search for “{words}” finds every holder", hits[language] >= set(study.HOLDERS), sorted(hits[language])
        )
    nothing = hub.get("/catalogue/", q="xyzzyplugh")["datasets"]
    journey.promise("a search for what nobody has finds nothing", not nothing, nothing)
    for holder, dataset in journey.facts["datasets"].items():
        for language in ("ko", "en"):
            page = hub.page(f"/catalogue/{dataset}/", language)
            journey.promise(
                f"{holder}: the dataset's page opens in {language} with figures",
                page.status_code == 200 and f'lang="{language}"' in page.text and "/charts/" in page.text,
                page.status_code,
            )
    for holder, dataset in journey.facts["datasets"].items():
        described = hub.get(f"/catalogue/{dataset}/")["dataset"]
        journey.figure(f"{holder}: 연령과 성별", f"{holder}: age and sex", drawing.pyramid(described))
    return f"김연구 searched in Korean and English and found {len(hits['ko'] & hits['en'])} data sets"


PUBLISH = Stage(1, "공개", "Publish", publish)
DISCOVER = Stage(2, "탐색", "Discover", discover)
