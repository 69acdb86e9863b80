"""docs/research/circe.md: what of OHDSI Circe is there, made from the table of domains and from the oracles' rows.

python tools/circe.py [FOLDER]    FOLDER holds oracles/circe and data/gibleed; without it that part is left as it is
"""

import re
import sys
from pathlib import Path

import duckdb

from ansim.data.engine import DuckDB
from ansim.research.cohort.definition import circe, run
from ansim.research.cohort.definition.domains import DEMOGRAPHIC, DOMAINS
from ansim.research.cohort.definition.model import countable

PAGE = Path(__file__).parent.parent / "docs" / "research" / "circe.md"


def attributes() -> str:
    lines = ["| Circe | ours | attributes (ours: Circe's) | distinct counts |", "|---|---|---|---|"]
    for domain in DOMAINS:
        shown = [
            f"{one.name}: {one.circe}{f' / {one.exclude}' if one.exclude else ''}{' (refused)' if one.ignored else ''}"
            for one in domain.attributes
        ]
        lines.append(f"| {domain.circe} | {domain.name} | {', '.join(shown)} | {', '.join(countable(domain))} |")
    shown = [f"{one.name}: {one.circe}" for one in DEMOGRAPHIC]
    lines.append(f"| DemographicCriteria | person | {', '.join(shown)} | |")
    return "\n".join(lines)


def oracles(folder: Path) -> str:
    """Each public definition with Circe's number of rows, ours, and how many are in only one of the two."""
    con = duckdb.connect()
    for path in (folder / "data" / "gibleed").glob("*.parquet"):
        con.execute(f"CREATE VIEW {path.stem} AS FROM '{path}'")
    paths = sorted((folder / "oracles" / "circe" / "definitions").glob("*.json"), key=lambda path: int(path.stem))
    found = run.cohorts(DuckDB(con), [circe.read(path.read_bytes()) for path in paths])
    rows = f"'{folder / 'oracles' / 'circe' / 'expected.parquet'}'"
    lines, different = [], 0
    for path, ours in zip(paths, found, strict=True):
        con.register("ours", ours)
        theirs = f"(SELECT person_id, start_date, end_date FROM {rows} WHERE definition_id = {int(path.stem)})"
        expected = con.execute(f"SELECT count(*) FROM {theirs}").fetchall()[0][0]
        apart = con.execute(
            f"SELECT count(*) FROM ((FROM ours EXCEPT FROM {theirs}) UNION ALL (FROM {theirs} EXCEPT FROM ours))"
        ).fetchall()[0][0]
        different += bool(apart)
        lines.append(f"| {path.stem} | {expected:,} | {len(ours):,} | {apart} |")
    head = f"{len(paths)} definitions, {different} with different rows."
    return "\n".join([head, "", "| PhenotypeLibrary | Circe | ours | apart |", "|---|---|---|---|", *lines])


def put(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)


def main() -> None:
    page = put(PAGE.read_text("utf-8"), "attributes", attributes())
    if len(sys.argv) > 1:
        page = put(page, "oracles", oracles(Path(sys.argv[1])))
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
