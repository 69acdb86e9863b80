"""An invented nation of dataset descriptions, and 100 questions with the datasets that answer them.

Made before the search was tuned, and apart from it: topics and questions are written here by hand, this folder reads
nothing of `ansim.data.catalogue`, and the search reads nothing of this folder. A question's answer is the topic that
its asker has in mind (`queries.csv`), never a match of words.
"""

import csv
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
HOLDERS = [f"hospital-{letter}" for letter in "abcdefghij"] + ["public-body-k", "public-body-l"]
KINDS = [
    ("환자 등록자료", "registry", "에 등록된 환자의 기록을 해마다 모은 자료입니다.", "patients enrolled each year"),
    ("진료기록", "health records", " 진료에서 나온 전자의무기록입니다.", "electronic records of routine care"),
    ("코호트", "cohort", " 환자를 추적 관찰한 자료입니다.", "people followed over time"),
    ("검사자료", "laboratory data", " 환자의 검사 결과를 모은 자료입니다.", "test results of people in care"),
    ("청구자료", "claims", " 관련 진료비 청구 기록입니다.", "claims for services and medicines"),
]
EVERYWHERE = [  # what every hospital has
    "visit:Outpatient Visit",
    "visit:Inpatient Visit",
    "measurement:Body weight",
    "measurement:Body height",
    "measurement:Body temperature",
    "measurement:Creatinine [Mass/volume] in Serum or Plasma",
    "measurement:Systolic blood pressure",
    "drug:acetaminophen 500 MG Oral Tablet",
    "condition:Acute upper respiratory infection",
]
STRAY = 6  # variables of other topics that some of the people have too


def topics() -> dict[str, dict]:
    with (HERE / "topics.csv").open(encoding="utf-8") as file:
        return {row["code"]: {**row, "concepts": row["concepts"].split("|")} for row in csv.DictReader(file)}


def queries() -> list[dict]:
    """[{language, query, topic, holder}]: holder is empty unless the question names one."""
    with (HERE / "queries.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def relevant(query: dict, descriptions: list[dict]) -> set[str]:
    """Ids of the datasets that answer a question."""
    return {
        one["id"]
        for one in descriptions
        if one["id"].split("--")[0] == query["topic"] and query["holder"] in ("", one["holder"]["id"])
    }


def descriptions(a_topic: int = 5, seed: int = 20261201) -> list[dict]:
    """`a_topic` descriptions (dataset/1) for each of the 44 topics, each of another holder."""
    chance = random.Random(seed)
    return [one for topic in topics().values() for one in _of_topic(topic, a_topic, chance)]


def _of_topic(topic: dict, number: int, chance: random.Random) -> Iterator[dict]:
    holders = chance.sample(HOLDERS, min(number, len(HOLDERS)))
    fixed = {query["holder"] for query in queries() if query["topic"] == topic["code"]} - {""}
    holders = [*fixed, *(holder for holder in holders if holder not in fixed)]
    for place in range(number):
        yield _description(topic, holders[place % len(holders)], place, chance)


def _description(topic: dict, holder: str, place: int, chance: random.Random) -> dict:
    ko, en, told_ko, told_en = KINDS[place % len(KINDS)]
    letter = holder[-1].upper()
    public = holder.startswith("public")
    name = {
        "ko": f"공공기관 {letter}" if public else f"{letter}병원",
        "en": f"Public body {letter}" if public else f"Hospital {letter}",
    }
    first, people = chance.randint(2004, 2016), chance.randrange(500, 60_000, 5)
    return {
        "ansim": "dataset/1",
        "id": f"{topic['code']}--{holder}-{place}",
        "holder": {"id": holder, "name": name},
        "title": {"ko": f"{topic['ko']} {ko}", "en": f"{topic['en']} {en}"},
        "description": {
            "ko": f"{name['ko']}의 {topic['ko']}{told_ko}",
            "en": f"{topic['en']}: {told_en} at {name['en']}.",
        },
        "keywords": {"ko": ["OMOP", ko], "en": ["OMOP", en]},
        "model": {"name": "OMOP CDM", "version": "5.4"},
        "version": f"{chance.getrandbits(256):064x}",
        "issued": f"2026-0{chance.randint(1, 9)}-01T00:00:00+00:00",
        "coverage": {"from": f"{first}-01-01", "to": "2025-12-31"},
        "people": people,
        "disclosure": {"threshold": 10, "rounding": 5, "note": {"ko": "반올림하였습니다.", "en": "Rounded."}},
        "tables": [],
        "variables": _variables(topic, people, first, chance),
        "charts": {"people_by_year": [], "people_by_age_sex": []},
        "quality": {
            "categories": {
                category: {"pass": chance.randint(10, 60), "fail": chance.randint(0, 3), "not_applicable": 0}
                for category in ("conformance", "completeness", "plausibility")
            },
            "failed": [],
        },
    }


def _variables(topic: dict, people: int, first: int, chance: random.Random) -> list[dict]:
    """The topic's own concepts are common in its datasets; those of other topics are there too, but rarer."""
    others = [concept for other in topics().values() if other["code"] != topic["code"] for concept in other["concepts"]]
    shares = [
        *((concept, chance.uniform(0.3, 0.9)) for concept in topic["concepts"]),
        *((concept, chance.uniform(0.3, 0.9)) for concept in EVERYWHERE),
        *((concept, chance.uniform(0.01, 0.1)) for concept in chance.sample(others, STRAY)),
    ]
    chance.shuffle(shares)
    found = {}
    for concept, share in shares:
        event, _, name = concept.partition(":")
        number = max(10, round(people * share / 5) * 5)
        found[event, name] = {
            "event": event,
            "concept_id": zlib.crc32(name.encode()),
            "name": name,
            "people": number,
            "records": number * chance.randint(1, 6),
            "missing_percent": None,
            "low": None,
            "high": None,
            "last_years": [[year, max(10, number // 10)] for year in range(max(first, 2016), 2026)],
        }
    return list(found.values())
