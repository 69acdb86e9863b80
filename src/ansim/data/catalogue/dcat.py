"""A description as HealthDCAT-AP: release 8 (September 2026), access level NON_PUBLIC, over DCAT-AP 3.0.1.

Facts: https://data.health.europa.eu/healthdcat-ap/releases/release-8/ (classes, cardinalities, vocabularies; release 8
moved the vocabularies to hdeu-dcat.data.health.europa.eu and asks for csvw:title), DCAT-AP 3.0.1
(https://semiceu.github.io/DCAT-AP/releases/3.0.1/), DQV (W3C Note, 2016), DUO (GA4GH, 2021-02-23). The Korean draft
HealthDCAT-KR (2026-07-30, on release 7) asks for a subset of these properties. `shapes.ttl` holds the mandatory sets.

Two places ask for what Korea has not, and are filled with what is true here: the health data access body is the holder,
whose own board decides; the applicable legislation is the Personal Information Protection Act (article 28-2).
"""

from collections.abc import Sequence
from typing import Any

from ansim.data.catalogue.rdf import Node, each_language, literal, resource

EU = "http://publications.europa.eu/resource/authority"
HDEU = "https://hdeu-dcat.data.health.europa.eu/resource/authority"
DUO = "http://purl.obolibrary.org/obo"
PERSONAL = "https://w3id.org/dpv/pd#"
LAW = "https://www.law.go.kr/%EB%B2%95%EB%A0%B9/%EA%B0%9C%EC%9D%B8%EC%A0%95%EB%B3%B4%EB%B3%B4%ED%98%B8%EB%B2%95"
CODING = {"SNOMED": "SNOMED-CT", "LOINC": "LOINC"}  # the vocabularies whose codes in the list are known for certain
CATEGORIES = {  # of Article 51 of Regulation (EU) 2025/327 that a hospital or an insurer may hold
    "EHRS": {"ko": "전자의무기록의 전자 건강 데이터", "en": "Electronic health data from electronic health records"},
    "HRAD": {"ko": "청구와 급여를 포함한 보건의료 행정 데이터", "en": "Healthcare-related administrative data"},
    "MRMR": {"ko": "의료·사망 등록자료", "en": "Data from medical and mortality registries"},
    "RQSH": {"ko": "연구 코호트와 설문 자료", "en": "Data from research cohorts, questionnaires and surveys"},
}
METRICS = {
    "people": {"ko": "이 변수의 기록이 있는 사람 수", "en": "People with a record of the variable"},
    "records": {"ko": "기록 수", "en": "Records"},
    "missing-percent": {"ko": "값이 없는 기록의 비율(%)", "en": "Share of records without a value (%)"},
    "checks-passed": {"ko": "통과한 품질 점검 수", "en": "Quality checks that hold"},
    "checks-failed": {"ko": "어긋난 품질 점검 수", "en": "Quality checks that are broken"},
}
EVENT_TITLES = {
    "condition": {"ko": "진단", "en": "Conditions"},
    "drug": {"ko": "약물", "en": "Drugs"},
    "measurement": {"ko": "검사·측정", "en": "Measurements"},
    "procedure": {"ko": "시술·수술", "en": "Procedures"},
    "observation": {"ko": "관찰", "en": "Observations"},
    "visit": {"ko": "방문", "en": "Visits"},
    "device": {"ko": "의료기기", "en": "Devices"},
    "death": {"ko": "사망", "en": "Deaths"},
}


def dataset(one: dict, page: str) -> Node:
    """The dcat:Dataset of a description. page: its address, the base of all names; it says how access is asked for."""
    access, title, coverage = one.get("access", {}), one["title"], one["coverage"]
    ask = access.get("contact", page)
    holder = _agent(f"{page}#holder", one["holder"]["name"], ask)
    return resource(
        f"{page}#dataset",
        "dcat:Dataset",
        **{
            "dct:title": each_language(title),
            "dct:description": each_language(one["description"]),
            "dct:identifier": one["id"],
            "dcat:version": one["version"],
            "dct:issued": literal(one["issued"], "xsd:dateTime"),
            "dcat:keyword": [word for code in ("ko", "en") for text in one["keywords"][code]
                             for word in each_language({code: text})] or each_language(title),
            "dcat:theme": _concept(f"{EU}/data-theme/HEAL", {"ko": "보건", "en": "Health"}),
            "dct:accessRights": resource(f"{EU}/access-right/NON_PUBLIC", "dct:RightsStatement"),
            "dcatap:applicableLegislation": _law(),
            "dct:type": _concept(f"{EU}/dataset-type/STATISTICAL", {"ko": "통계", "en": "Statistical"}),
            "dct:language": resource(f"{EU}/language/KOR", "dct:LinguisticSystem"),
            "dct:spatial": resource(f"{EU}/country/KOR", "dct:Location"),
            "dct:temporal": coverage and {
                "@type": "dct:PeriodOfTime",
                "dcat:startDate": literal(coverage["from"], "xsd:date"),
                "dcat:endDate": literal(coverage["to"], "xsd:date"),
            },
            "dct:conformsTo": resource(f"{HDEU}/standard/OMOP-CDM", "dct:Standard"),
            "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": each_language({
                "ko": f"{one['model']['name']} {one['model']['version']} 기록이며, 파일의 SHA-256이 버전입니다.",
                "en": f"Records in {one['model']['name']} {one['model']['version']}; "
                "the version is the SHA-256 of the file.",
            })},
            "prov:wasGeneratedBy": {"@type": "prov:Activity",
                                    "dct:type": resource(f"{HDEU}/health-activity/ROUTINE_RECORDS")},
            "dct:publisher": holder,
            "geodcatap:custodian": {"@id": holder["@id"]},
            "healthdcatap:hdab": {"@id": holder["@id"]},
            "dcat:contactPoint": {"@type": "vcard:Kind", "vcard:hasURL": resource(ask)},
            "dcat:landingPage": resource(page, "foaf:Document"),
            "dcat:distribution": _distribution(one, page, ask),
            "healthdcatap:analytics": _analytics(page),
            "healthdcatap:healthCategory": [
                _concept(f"{HDEU}/healthcategories/{code}", CATEGORIES[code])
                for code in one.get("categories") or ["EHRS"]
            ],
            "healthdcatap:hasCodingSystem": _coding(one["variables"]),
            "healthdcatap:hasStructuredData": True,
            "healthdcatap:hasVariables": _variables(one, page),
            **_numbers(one),
            "healthdcatap:populationCoverage": each_language({
                "ko": f"{one['holder']['name']['ko']}에 기록이 있는 사람",
                "en": f"People with a record at {one['holder']['name']['en']}",
            }),
            "dpv:hasPersonalData": [resource(f"{PERSONAL}{kind}", "dpv:PersonalData")
                                    for kind in ("Age", "Gender", "HealthRecord")],
            "dpv:hasPurpose": {"@type": "dpv:Purpose", "dct:description": each_language({
                "ko": "협약에 적힌 보건의료 연구", "en": "Health research under an agreement"})},
            "dpv:hasLegalBasis": {"@type": "dpv:LegalBasis", "dct:description": each_language({
                "ko": "개인정보 보호법 제28조의2(가명정보의 처리 등)",
                "en": "Personal Information Protection Act, article 28-2 (pseudonymised information)"})},
            "dqv:hasQualityAnnotation": {
                "@type": "dqv:QualityCertificate",
                "oa:hasTarget": resource(f"{page}#dataset"),
                "oa:hasBody": resource(f"{page}#quality"),
                "oa:motivatedBy": resource("http://www.w3.org/ns/dqv#qualityAssessment"),
            },
            "dqv:hasQualityMeasurement": [
                _measured(page, f"checks-{verb}", counted[verdict], category)
                for category, counted in one["quality"]["categories"].items()
                for verdict, verb in (("pass", "passed"), ("fail", "failed"))
            ],
        },
    )  # fmt: skip


def catalogue(
    datasets: Sequence[Node], address: str, *, name: dict, pages: int, page: int, total: int, modified: str
) -> Node:
    """One page of the harvest feed: a dcat:Catalog with datasets, and a Hydra view that leads to the other pages."""

    def at(number: int) -> Node:
        return resource(f"{address}?page={number}")

    view = resource(
        f"{address}?page={page}",
        "hydra:PartialCollectionView",
        **{
            "hydra:first": at(1),
            "hydra:last": at(pages),
            "hydra:previous": at(page - 1) if page > 1 else None,
            "hydra:next": at(page + 1) if page < pages else None,
            "hydra:totalItems": literal(total, "xsd:integer"),
        },
    )
    return resource(
        f"{address}#catalogue",
        "dcat:Catalog",
        **{
            "dct:title": each_language({"ko": f"{name['ko']} 데이터 카탈로그", "en": f"{name['en']}: data catalogue"}),
            "dct:description": each_language(
                {
                    "ko": "보유기관이 서명하여 공개한 데이터셋 설명입니다. 환자 데이터는 들어 있지 않습니다.",
                    "en": "Descriptions of datasets, signed by those who hold them. No patient data are in it.",
                }
            ),
            "dct:publisher": _agent(f"{address}#publisher", name, address),
            "dcatap:applicableLegislation": _law(),
            "dct:language": [resource(f"{EU}/language/{code}", "dct:LinguisticSystem") for code in ("KOR", "ENG")],
            "dct:modified": literal(modified, "xsd:dateTime") if modified else None,
            "foaf:homepage": resource(address, "foaf:Document"),
            "dcat:dataset": list(datasets),
            "hydra:view": view,
        },
    )


def _agent(iri: str, name: dict, contact: str) -> Node:
    return resource(
        iri,
        "foaf:Agent",
        **{
            "foaf:name": each_language(name),
            "cv:contactPoint": {"@type": "cv:ContactPoint", "cv:contactPage": resource(contact)},
        },
    )


def _concept(iri: str, label: dict) -> Node:
    return resource(iri, "skos:Concept", **{"skos:prefLabel": each_language(label)})


def _law() -> Node:
    return resource(LAW, "eli:LegalResource")


def _distribution(one: dict, page: str, ask: str) -> Node:
    """The way to the data: none can be downloaded. DUO terms are the kind (dct:type) of its rights statement."""
    access = one.get("access", {})
    return resource(
        f"{page}#access",
        "dcat:Distribution",
        **{
            "dct:title": each_language({"ko": "이용 신청", "en": "Apply for access"}),
            "dcat:accessURL": resource(ask),
            "dcatap:applicableLegislation": _law(),
            "dct:rights": {
                "@type": "dct:RightsStatement",
                "rdfs:label": each_language(
                    access.get("note")
                    or {
                        "ko": "기관의 심의와 협약에 따라 가명처리된 추출 데이터 또는 집계 결과로만 이용할 수 있습니다.",
                        "en": "Only under an agreement, after the holder's review, as a pseudonymised extract or as "
                        "aggregate results.",
                    }
                ),
                "dct:type": [resource(f"{DUO}/{code.replace(':', '_')}") for code in access.get("duo", [])],
            },
        },
    )


def _analytics(page: str) -> Node:
    return resource(
        f"{page}#profile",
        "dcat:Distribution",
        **{
            "dct:title": each_language({"ko": "변수별 통계", "en": "Statistics of each variable"}),
            "dcat:accessURL": resource(page),
            "dcat:downloadURL": resource(f"{page}variables.csv"),
            "dct:format": resource(f"{EU}/file-type/CSV", "dct:MediaTypeOrExtent"),
            "dcatap:applicableLegislation": _law(),
        },
    )


def _coding(variables: list[dict]) -> list[Node]:
    used = sorted({CODING[name] for one in variables if (name := one.get("vocabulary")) in CODING})
    return [resource(f"{HDEU}/coding-system/{code}", "dct:Standard") for code in ["OHDSI-VOCAB", *used]]


def _numbers(one: dict) -> dict[str, Any]:
    """What is suppressed is not said. Ages: the outermost bands with enough people."""
    told = [row["age_band"] for row in one["charts"]["people_by_age_sex"] if row["people"] is not None]
    lows = [int(band.split("-")[0].rstrip("+")) for band in told]
    highs = [int(band.split("-")[-1].rstrip("+")) for band in told]
    records = sum(row["records"] or 0 for row in one["tables"])
    numbers = {
        "numberOfRecords": records or None,
        "numberOfUniqueIndividuals": one["people"],
        "minTypicalAge": min(lows, default=None),
        "maxTypicalAge": max(highs, default=None),
    }
    return {
        f"healthdcatap:{name}": None if number is None else literal(number, "xsd:nonNegativeInteger")
        for name, number in numbers.items()
    }


def _variables(one: dict, page: str) -> Node:
    """A csvw:TableGroup: a table for each kind of event, a column for each concept, with its statistics (DQV)."""
    kinds = [kind for kind in EVENT_TITLES if any(row["event"] == kind for row in one["variables"])]
    tables = [
        resource(
            f"{page}#variables-{kind}",
            "csvw:Table",
            **{
                "dct:title": each_language(EVENT_TITLES[kind]),
                "csvw:column": [_column(row, page) for row in one["variables"] if row["event"] == kind],
            },
        )
        for kind in kinds
    ] or [_no_variables(page)]
    return resource(
        f"{page}#variables",
        "csvw:TableGroup",
        **{"dct:title": each_language({"ko": "변수", "en": "Variables"}), "csvw:table": tables},
    )


def _no_variables(page: str) -> Node:
    """A dataset of few people: that people are in it is all that may be said."""
    column = {
        "@type": "csvw:Column",
        "csvw:name": "person_id",
        "csvw:title": each_language({"ko": "사람", "en": "Person"}),
        "csvw:datatype": "integer",
        "dct:description": each_language({"ko": "가명 번호", "en": "Pseudonymous number"}),
    }
    return resource(
        f"{page}#variables-person",
        "csvw:Table",
        **{"dct:title": each_language({"ko": "사람", "en": "People"}), "csvw:column": [column]},
    )


def _column(row: dict, page: str) -> Node:
    name = f"{row['event']}_{row['concept_id']}"
    unit = f" ({row['unit']})" if row.get("unit") else ""
    measured = [
        _measured(page, metric, row[key], None)
        for metric, key in (("people", "people"), ("records", "records"), ("missing-percent", "missing_percent"))
        if row[key] is not None
    ]
    return resource(
        f"{page}#{name}",
        "csvw:Column",
        **{
            "csvw:name": name,
            "csvw:title": each_language({"en": row["name"]}),
            "csvw:datatype": "decimal" if row["low"] is not None else "boolean",
            "dct:description": each_language(
                {
                    "ko": f"{EVENT_TITLES[row['event']]['ko']}: {row['name']}{unit}",
                    "en": f"{EVENT_TITLES[row['event']]['en']}: {row['name']}{unit}",
                }
            ),
            "csvw:propertyUrl": resource(f"https://athena.ohdsi.org/search-terms/terms/{row['concept_id']}"),
            "dqv:hasQualityMeasurement": measured,
        },
    )


def _measured(page: str, metric: str, value: int, category: str | None) -> Node:
    """A measurement of a metric; the metric is defined beside it, so that a reader needs nothing else."""
    defined = resource(
        f"{page}#metric-{metric}" + (f"-{category}" if category else ""),
        "dqv:Metric",
        **{
            "skos:definition": each_language(METRICS[metric]),
            "dqv:expectedDataType": resource("http://www.w3.org/2001/XMLSchema#integer"),
            "dqv:inDimension": resource(
                f"{page}#dimension-{category or 'content'}",
                "dqv:Dimension",
                **{"skos:prefLabel": each_language({"en": category or "content"})},
            ),
        },
    )
    return {
        "@type": "dqv:QualityMeasurement",
        "dqv:isMeasurementOf": defined,
        "dqv:value": literal(value, "xsd:integer"),
    }
