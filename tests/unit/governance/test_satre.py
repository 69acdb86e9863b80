"""The SATRE self-assessment: every statement once, each with evidence that is there, and sums that are true."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "security" / "satre.md"
MET = ("software", "operation", "not met")
# Statements of version 2.0.1 by capability, as counted in its published specification.
STATEMENTS = {
    "1.1": 3, "1.2": 12, "1.3": 5, "1.4": 7, "1.5": 6, "1.6": 9, "1.7": 4, "2.1": 18, "2.2": 15, "2.3": 4, "2.4": 5,
    "2.5": 3, "2.6": 5, "2.7": 6, "2.8": 5, "2.9": 1, "3.1": 20, "3.2": 6, "3.3": 9, "3.4": 4, "4.1": 2, "4.2": 2,
    "4.3": 3, "4.4": 4, "4.5": 1, "4.6": 1, "4.7": 1, "4.8": 3, "5.1": 10, "5.2": 1, "5.3": 2, "5.4": 4, "5.5": 1,
    "5.6": 2, "5.7": 1,
}  # fmt: skip


def rows():
    lines = [line for line in PAGE.read_text("utf-8").split("\n") if re.match(r"\| \d\.\d\.\d\d \|", line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_statement_stands_once():
    wanted = [f"{part}.{number:02}" for part, count in STATEMENTS.items() for number in range(1, count + 1)]
    assert [row[0] for row in rows()] == wanted
    assert len(wanted) == 185


def test_what_the_software_meets_has_evidence_and_all_evidence_is_there():
    for number, _importance, asks, met, evidence in rows():
        paths = re.findall(r"`((?:src|docs|tests)/[^`]+)`", evidence)
        assert met in MET, number
        assert asks
        assert evidence
        assert paths or met != "software", number
        assert [path for path in paths if not (ROOT / path).exists()] == [], number


def test_the_sums_are_those_of_the_rows():
    text = PAGE.read_text("utf-8")
    found = Counter((row[1].split(" ")[0], row[3]) for row in rows())
    for importance in ("mandatory", "recommended", "optional"):
        cells = " | ".join(str(found[importance, met]) for met in MET)
        assert f"| {importance} | {cells} |" in text
    total = Counter(row[3] for row in rows())
    assert f"| all 185 | {' | '.join(str(total[met]) for met in MET)} |" in text
