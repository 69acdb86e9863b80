"""A description as one page of HTML in Korean and English, with its HealthDCAT-AP inside as JSON-LD."""

import html
import json

from ansim.data.catalogue import dcat, rdf

STYLE = (
    "body{font:17px/1.5 NanumGothic,'Malgun Gothic',sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "color:#1e2124}table{border-collapse:collapse}th,td{padding:4px 12px;border-bottom:1px solid #cdd1d5;"
    "text-align:left}"
)


def page(one: dict, address: str = "https://catalogue.example/dataset/") -> str:
    """address: where the description will stand. Suppressed numbers read as "<10"."""
    least = one["disclosure"]["threshold"]

    def told(number: int | None) -> str:
        return f"&lt;{least}" if number is None else f"{number:,}"

    coverage = one["coverage"]
    facts = [
        ("보유기관 · Held by", _both(one["holder"]["name"])),
        ("사람 수 · People", told(one["people"])),
        ("기간 · Years", f"{coverage['from'][:4]}–{coverage['to'][:4]}" if coverage else ""),
        ("형식 · Form", f"{one['model']['name']} {one['model']['version']}"),
        ("버전 · Version (SHA-256)", f"<code>{one['version']}</code>"),
        ("이용 조건 · Conditions of use (DUO)", ", ".join(one.get("access", {}).get("duo", []))),
    ]
    quality = [
        [name, str(counted["pass"]), str(counted["fail"])] for name, counted in one["quality"]["categories"].items()
    ]
    variables = [
        [html.escape(row["name"]), row["event"], str(row["concept_id"]), told(row["people"]),
         "" if row["missing_percent"] is None else str(row["missing_percent"]),
         "" if row["low"] is None else f"{row['low']} – {row['high']} {html.escape(row.get('unit') or '')}"]
        for row in one["variables"]
    ]  # fmt: skip
    data = json.dumps({"@context": rdf.PREFIXES, **dcat.dataset(one, address)}, ensure_ascii=False)
    return "\n".join(
        [
            f'<!doctype html><html lang="ko"><meta charset="utf-8"><title>{html.escape(one["title"]["ko"])}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>',
            f'<script type="application/ld+json">{data.replace("<", chr(92) + "u003c")}</script>',
            f"<main><h1>{_both(one['title'])}</h1><p>{_both(one['description'])}</p>",
            "<dl>" + "".join(f"<dt>{term}</dt><dd>{value}</dd>" for term, value in facts) + "</dl>",
            "<h2>품질 점검 · Quality checks</h2>" + _table(["", "통과 · Passed", "어긋남 · Failed"], quality),
            "<h2>변수 · Variables</h2>"
            + _table(["변수 · Variable", "종류 · Kind", "OMOP", "사람 수 · People", "결측 · Missing %", "범위 · Range"],
                     variables),
            "</main></html>",
        ]
    )  # fmt: skip


def _both(text: dict) -> str:
    return f'{html.escape(text["ko"])} · <span lang="en">{html.escape(text["en"])}</span>'


def _table(columns: list[str], rows: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
