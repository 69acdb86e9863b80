"""Dataset descriptions: made from real profiles, refused when they tell too much, found in two languages."""

import copy
from datetime import UTC, datetime

import pytest

from ansim.data.catalogue import check_description, describe, search
from ansim.data.cdm import file_digest, open_cdm
from ansim.data.profile import profile
from ansim.data.quality import assess
from ansim.documents import canonical
from ansim.errors import Problems

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TITLES = {
    "hospital-a": ("소화기 진료 자료", "Gastroenterology records"),
    "hospital-b": ("외래 진료 자료", "Outpatient records"),
    "public-body": ("건강보험 청구 자료", "Health insurance claims"),
}


@pytest.fixture(scope="module")
def descriptions(nation):
    made = []
    for holder, (ko, en) in TITLES.items():
        path = nation / holder / "cdm.duckdb"
        con = open_cdm(path)
        made.append(
            describe(
                profile(con, threshold=10, base=5),
                assess(con, now=NOW),
                id=f"{holder}-cdm",
                holder={"id": holder, "name": {"ko": "병원", "en": "Hospital"}},
                title={"ko": ko, "en": en},
                description={"ko": "전자의무기록에서 만든 자료", "en": "Made from electronic records"},
                keywords={"ko": ["의무기록"], "en": ["OMOP"]},
                version=file_digest(path),
                issued=NOW,
            )
        )
        con.close()
    return made


def test_real_descriptions_pass_and_can_be_signed(descriptions):
    for document in descriptions:
        check_description(document, 10)
        assert b'"ansim":"dataset/1"' in canonical(document)
        assert document["people"] > 0
        assert len(document["variables"]) > 20
        assert b"." not in canonical([variable["people"] for variable in document["variables"]])


def change(path, value):
    def act(document):
        *way, last = path
        for step in way:
            document = document[step]
        document[last] = value

    return act


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (change(["people"], 9), "small-count"),
        (change(["variables", 0, "people"], 1), "small-count"),
        (change(["variables", 0, "records"], 0), "small-count"),
        (change(["charts", "people_by_year", 0, "people"], 3), "small-count"),
        (change(["tables", 0, "records"], 12.5), "not-publishable"),
        (change(["people"], True), "not-publishable"),
        (change(["rows"], [{"person_id": 1, "year_of_birth": 1980}]), "not-publishable"),
        (change(["variables", 0, "person_id"], 1), "not-publishable"),
        (change(["quality", "failed"], [{"check": "a", "table": "person", "field": "x", "violated": 3}]),
         "not-publishable"),
        (change(["coverage"], {"from": "2010-02-03", "to": "2011-12-31"}), "not-publishable"),
        (change(["title", "ko"], "문의 010-1234-5678"), "identifying"),
        (change(["description", "en"], "patient 800517-2000000"), "identifying"),
        (change(["keywords", "en"], ["0033e4bc-e630-47be-8c89-fcd332cef687"]), "identifying"),
        (change(["variables", 0, "name"], "born 1980-05-17"), "identifying"),
        (change(["variables", 0, "low"], 36.6), "not-publishable"),
        (change(["disclosure", "threshold"], 3), "not-publishable"),
        (change(["version"], "latest"), "not-publishable"),
        (lambda document: document.pop("quality"), "not-publishable"),
    ],
)  # fmt: skip
def test_what_tells_too_much_is_refused(descriptions, act, code):
    document = copy.deepcopy(descriptions[0])
    act(document)
    with pytest.raises(Problems) as refused:
        check_description(document, 10)
    assert [problem.code for problem in refused.value.problems] == [code]


def test_a_holder_with_a_higher_threshold_refuses_more(descriptions):
    with pytest.raises(Problems):
        check_description(descriptions[0], 11)


def found(descriptions, query, language="ko"):
    return [hit["description"]["holder"]["id"] for hit in search(descriptions, query, language)]


def test_search_in_both_languages(descriptions):
    everyone = set(TITLES)
    assert set(found(descriptions, "부비동염")) == everyone  # by synonym, in variable names
    assert found(descriptions, "부비동염") == found(descriptions, "sinusitis")
    assert found(descriptions, "청구") == ["public-body"]
    assert found(descriptions, "건강보험의") == ["public-body"]
    assert found(descriptions, "건강보험 청구") == ["public-body"]
    assert found(descriptions, "Claims", "en") == ["public-body"]
    assert found(descriptions, "claim") == ["public-body"]
    assert found(descriptions, "소화기 sinusitis") == ["hospital-a"]
    assert found(descriptions, "없는낱말") == []
    assert len(found(descriptions, "")) == 3


def test_search_names_the_variables_that_match(descriptions):
    hit = search(descriptions, "바이러스 부비동염")[0]
    assert hit["variables"][0]["name"] == "Viral sinusitis"
