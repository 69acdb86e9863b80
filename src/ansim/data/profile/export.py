"""A profile as files: JSON, a Parquet file a table, rows for OHDSI's tools, and a page with figures."""

import csv
import html
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from ansim.data.profile import achilles
from ansim.data.profile.figures import Figure, figures

TITLES = {"en": "Profile", "ko": "프로파일"}
STYLE = (
    "body{font:17px/1.5 NanumGothic,'Malgun Gothic',sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "color:#1e2124}svg{max-width:100%;height:auto}table{border-collapse:collapse}th,td{padding:4px 12px;"
    "border-bottom:1px solid #cdd1d5;text-align:left}td+td{text-align:right}"
)


def tables(profile: dict) -> dict[str, list[dict]]:
    """Every list of a profile by its name: tables, variables, observation_months, …"""
    found = {}
    for name, value in profile.items():
        if isinstance(value, list):
            found[name] = value
        elif isinstance(value, dict):
            found |= {f"{name}_{inner}": rows for inner, rows in value.items() if isinstance(rows, list)}
    return {name: rows for name, rows in found.items() if rows}


def write(
    profile: dict, folder: Path, *, name: str, language: str = "ko", drawn: bool = True, inside: set[str] | None = None
) -> list[Path]:
    """Write the files into the folder, each in one step; gives their paths.

    inside: kinds of events for `achilles.rows`; None writes no achilles_results.csv. drawn: figures and index.html.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [_put(folder / "profile.json", partial(_text, _json(profile)))]
    for table, rows in tables(profile).items():
        written.append(_put(folder / f"{table}.parquet", partial(parquet.write_table, pa.Table.from_pylist(rows))))
    if inside is not None:
        written.append(_put(folder / "achilles_results.csv", partial(_achilles, profile, inside)))
    if drawn:
        made = figures(profile, language)
        for one in made:
            written.append(_put(folder / f"{one.name}.svg", partial(_text, one.svg)))
        written.append(_put(folder / "index.html", partial(_text, page(profile, made, name, language))))
    return written


def page(profile: dict, made: list[Figure], name: str, language: str) -> str:
    """One file without scripts or addresses: each figure with the same numbers as a table."""
    title = html.escape(f"{TITLES[language]}: {name}")
    parts = [
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style><main><h1>{title}</h1>',
    ]
    for one in made:
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in one.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{_cell(row[column], profile)}</td>" for column in one.columns) + "</tr>"
            for row in one.rows
        )
        parts.append(
            f"<section><h2>{html.escape(one.title)}</h2>{one.svg}<details><summary>{html.escape(one.columns[-1])}"
            f"</summary><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details></section>"
        )
    return "\n".join([*parts, "</main></html>"])


def _cell(value: object, profile: dict) -> str:
    return f"&lt;{profile['threshold']}" if value is None else html.escape(str(value))


def _json(profile: dict) -> str:
    return json.dumps(profile, ensure_ascii=False, indent=1)


def _text(text: str, part: Path) -> None:
    part.write_text(text, encoding="utf-8")


def _achilles(profile: dict, inside: set[str], part: Path) -> None:
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(achilles.COLUMNS)
        writer.writerows(achilles.rows(profile, inside))


def _put(path: Path, make: Callable[[Path], object]) -> Path:
    part = path.with_name(f".{path.name}.part")
    make(part)
    os.replace(part, path)
    return path
