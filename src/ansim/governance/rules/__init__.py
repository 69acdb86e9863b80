"""Dated rule packs: which rule says what on which day.

Each rule is data: id, edition, first and last day, source, article, how well the text is known (tag V, S or R),
severity, bilingual title and parameters. `at(day)` is the edition in force, so a case of 2022 is judged by the text
of 2022, and `differences` shows what changed. Nothing here is legal advice; the tags travel with every citation.
"""

import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib import resources

from ansim.errors import N_, Problem

FIELDS = {"id", "edition", "from", "source", "article", "tag", "severity", "title", "parameters"}
TAGS = {"V": "the text itself was read", "S": "secondary source", "R": "recall; check before quoting"}
SEVERITIES = ("block", "condition", "duty", "route", "tier")
Edition = dict[str, dict]  # rule id -> rule


@cache
def packs() -> tuple[dict, ...]:
    """All rules of all editions, checked."""
    found: list[dict] = []
    for file in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            found += parse(file.read_text(encoding="utf-8"), file.name)
    no_overlap(found)
    return tuple(found)


def parse(text: str, where: str) -> list[dict]:
    """The rules of one pack; raises Problem naming the rule and field that is wrong."""
    try:
        rows = tomllib.loads(text).get("rule", [])
    except tomllib.TOMLDecodeError as error:
        raise Problem(
            "rule-pack", N_("The rule pack cannot be read: {detail}."), where=where, detail=str(error)
        ) from error
    for row in rows:
        check(row, where)
    return rows


def check(row: dict, where: str) -> None:
    """Raise unless the rule has every field in its form."""

    def need(holds: object, field: str) -> None:
        if not holds:
            place = f"{where}:{row.get('id', '?')}@{row.get('edition', '?')}"
            raise Problem(
                "rule-field", N_("The field '{field}' of a rule is wrong or missing."), where=place, field=field
            )

    for field in sorted(FIELDS - row.keys()):
        need(False, field)
    for field in sorted(row.keys() - FIELDS - {"to"}):
        need(False, field)
    need(row["tag"] in TAGS, "tag")
    need(row["severity"] in SEVERITIES, "severity")
    need(type(row["from"]) is date, "from")
    need("to" not in row or (type(row["to"]) is date and row["to"] >= row["from"]), "to")
    need(isinstance(row["title"], dict) and set(row["title"]) == {"ko", "en"}, "title")
    need(isinstance(row["parameters"], dict) and row["parameters"], "parameters")
    for field in ("id", "edition", "source", "article"):
        need(isinstance(row[field], str) and row[field], field)


def no_overlap(rows: Iterable[dict]) -> None:
    """Raise if two editions of one rule are in force on the same day."""
    last: dict[str, dict] = {}
    for row in sorted(rows, key=lambda row: (row["id"], row["from"])):
        before = last.get(row["id"])
        if before is not None and before.get("to", date.max) >= row["from"]:
            raise Problem("rule-overlap", N_("Two editions of rule {id} overlap."), id=row["id"])
        last[row["id"]] = row


def at(day: date, rows: Iterable[dict] | None = None) -> Edition:
    """The rules in force on a day, by id."""
    rows = packs() if rows is None else rows
    found = {row["id"]: row for row in rows if row["from"] <= day <= row.get("to", date.max)}
    if not found:
        raise Problem("no-rules", N_("No rule pack covers {day}."), day=day.isoformat())
    return found


def cite(rule: dict) -> dict:
    """How a decision names a rule: id, edition, source, article and how well its text is known."""
    return {key: rule[key] for key in ("id", "edition", "source", "article", "tag", "title")}


def differences(first: date, second: date) -> list[dict]:
    """What changed between two days: [{id, before, after}] with the citation and parameters or None."""

    def shown(rule: dict | None) -> dict | None:
        return None if rule is None else {**cite(rule), "parameters": rule["parameters"]}

    before, after = at(first), at(second)
    return [
        {"id": id, "before": shown(before.get(id)), "after": shown(after.get(id))}
        for id in sorted(before.keys() | after.keys())
        if before.get(id) != after.get(id)
    ]


def keep_until(destroyed: date) -> date:
    """Until when the record of processing is kept after the data were destroyed (L7)."""
    years = at(destroyed)["L7"]["parameters"]["years"]
    try:
        return destroyed.replace(year=destroyed.year + years)
    except ValueError:  # 29 February
        return date(destroyed.year + years, 3, 1)
