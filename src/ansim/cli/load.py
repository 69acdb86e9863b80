"""`ansim load`: a hospital's data into a dataset of versions, and what one asks about those versions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

console = Console()
FIRST = "sources"


class _WithDefault(TyperGroup):
    """`ansim load SOURCE…` is `ansim load sources SOURCE…`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args.insert(0, FIRST)
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_WithDefault,
    no_args_is_help=True,
    help="Load a hospital's data into OMOP CDM 5.4: `ansim load SOURCE… --into CDM.duckdb`.",
)


@app.command(FIRST)
def load(
    source: Annotated[list[str], typer.Argument(help="files, folders, archives, or a postgresql:// address")],
    into: Annotated[Path, typer.Option(help="the dataset: a DuckDB file with its versions beside it")],
    mapping: Annotated[str, typer.Option(help="a mapping file (.toml, .yaml), or fhir_r4 or synthea")] = "",
    code_map: Annotated[list[Path] | None, typer.Option(help="source_to_concept_map, Usagi or SSSOM file")] = None,
    vocabulary: Annotated[Path | None, typer.Option(help="a CDM file to take the vocabulary tables from")] = None,
    refuse_above: Annotated[float, typer.Option(help="stop when more than this share of rows is refused")] = 0.05,
    name: Annotated[str, typer.Option(help="what the data are called (cdm_source)")] = "",
    holder: Annotated[str, typer.Option(help="whose data they are (cdm_source)")] = "",
    released: Annotated[str, typer.Option(help="date of the source's release, YYYY-MM-DD")] = "",
    memory: Annotated[str, typer.Option(help="memory limit; more spills to disk")] = "3GB",
    threads: Annotated[int | None, typer.Option(help="how many cores")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="read everything, whatever changed")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show coverage and refusals, publish nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Load the sources, whole as they are now, as the next version of the dataset.

    Example: ansim load vocabulary/ export/ --mapping hospital.toml --into cdm.duckdb
    """
    from ansim.data.ingest.load import Options
    from ansim.data.ingest.load import load as run

    options = Options(
        now=datetime.now(UTC).isoformat(timespec="seconds"),
        mapping=mapping or None,
        code_maps=tuple(code_map or ()),
        vocabulary=vocabulary,
        refuse_above=refuse_above,
        name=name,
        holder=holder,
        released=released,
        memory=memory,
        threads=threads,
        whole=whole,
    )
    with _progress() as progress:
        result = run(source, into, options, dry_run=dry_run, progress=progress)
    if as_json:
        version = result.version.number if result.version else None
        data = {"version": version, "changed": result.changed, "account": result.report, "coverage": result.coverage}
        typer.echo(json.dumps(data, ensure_ascii=False, indent=1))
        return
    _show_account(result.report)
    if dry_run:
        _show_coverage(result.coverage)
        console.print("Dry run: nothing was published.")
    elif result.version and result.changed:
        console.print(f"Version [bold]{result.version.number}[/] is in use ({result.version.digest[:12]}).")
    elif result.version:
        console.print(f"Nothing changed: version [bold]{result.version.number}[/] stays in use.")


@contextmanager
def _progress() -> Iterator[Any]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("…", total=None)
        yield lambda text: bar.update(task, description=text)


def _show_account(account: dict[str, Any]) -> None:
    table = _table("file", "table", "rows in", "loaded", "refused", "new keys")
    for each in account["loads"]:
        numbers = (f"{each[name]:,}" for name in ("rows_in", "loaded", "refused", "renumbered"))
        table.add_row(each["file"], each["table"] or "-", *numbers)
    table.add_row("[bold]all[/]", "", *(f"[bold]{account[name]:,}[/]" for name in ("rows_in", "loaded", "refused")), "")
    console.print(table)
    for skipped in account["skipped"]:
        console.print(f"Not read: {skipped['name']} ({skipped['reason']})", highlight=False)
    if account["reasons"]:
        reasons = _table("refused for", "field", "file", "rows", "first line")
        for each in account["reasons"][:20]:
            line = "" if each["first_line"] is None else str(each["first_line"])
            reasons.add_row(each["reason"], each["field"] or "-", each["file"], f"{each['rows']:,}", line)
        console.print(reasons)


def _show_coverage(coverage: list[dict[str, Any]]) -> None:
    table = _table("rule", "field", "system", "code", "status", "concept", "rows")
    total, known = sum(each["rows"] for each in coverage), 0
    for place, each in enumerate(coverage):
        known += each["rows"] if each["status"] in {"reviewed", "vocabulary"} else 0
        if place < 50:
            texts = [str(each[name] or "") for name in ("rule", "field", "system", "code", "status", "target")]
            table.add_row(*texts, f"{each['rows']:,}")
    console.print(table)
    if total:
        console.print(f"{known:,} of {total:,} coded values have a concept ({known / total:.1%}).")


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        numeric = name in {"rows", "rows in", "loaded", "refused", "new keys", "first line"}
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    return table


@app.command()
def versions(dataset: Annotated[Path, typer.Argument(help="the dataset's DuckDB file")]) -> None:
    """List the versions of a dataset. Example: ansim load versions cdm.duckdb"""
    from ansim.data.cdm import versions as store

    used = store.in_use(dataset)
    table = _table("version", "in use", "made at", "rows", "refused", "SHA-256")
    for each in store.versions(dataset):
        rows = sum(counts["rows"] for counts in each.facts["tables"].values())
        mark = "yes" if used and each.number == used.number else "" if each.kept else "rows deleted"
        refused = each.facts["account"]["refused"]
        table.add_row(str(each.number), mark, each.facts["at"], f"{rows:,}", f"{refused:,}", each.digest[:12])
    console.print(table)


@app.command()
def diff(
    dataset: Annotated[Path, typer.Argument(help="the dataset's DuckDB file")],
    old: Annotated[int, typer.Argument(help="number of the earlier version")],
    new: Annotated[int, typer.Argument(help="number of the later version")],
) -> None:
    """What changed between two versions, by table. Example: ansim load diff cdm.duckdb 1 2"""
    from ansim.data.cdm import versions as store

    table = _table("table", "rows in", "rows", "added", "removed", "changed")
    for each in store.compare(store.version(dataset, old), store.version(dataset, new)):
        counts = (each.before, each.after, each.added, each.removed, each.changed)
        table.add_row(each.table, *(f"{count:,}" for count in counts))
    console.print(table if table.row_count else "The two versions hold the same rows.")


@app.command()
def use(
    dataset: Annotated[Path, typer.Argument(help="the dataset's DuckDB file")],
    number: Annotated[int, typer.Argument(help="number of the version")],
) -> None:
    """Put an earlier version into use again. Example: ansim load use cdm.duckdb 3"""
    from ansim.data.cdm import versions as store

    store.use(dataset, store.version(dataset, number))
    console.print(f"Version [bold]{number}[/] is in use.")


@app.command()
def prune(
    dataset: Annotated[Path, typer.Argument(help="the dataset's DuckDB file")],
    keep: Annotated[int, typer.Option(help="how many of the newest versions keep their rows")] = 5,
) -> None:
    """Delete the rows of old versions, never of the one in use; what answers name of them stays.

    Example: ansim load prune cdm.duckdb --keep 5
    """
    from ansim.data.cdm import versions as store

    gone = store.prune(dataset, keep=keep)
    numbers = ", ".join(str(each.number) for each in gone)
    console.print(f"Rows deleted of: {numbers}." if gone else "There was nothing to delete.", highlight=False)


@app.command()
def trace(
    dataset: Annotated[Path, typer.Argument(help="the dataset's DuckDB file")],
    table: Annotated[str, typer.Argument(help="a table of the CDM")],
    id: Annotated[int, typer.Argument(help="the key of a row")],
) -> None:
    """Where a row of the version in use came from. Example: ansim load trace cdm.duckdb measurement 42"""
    from ansim.data.ingest.account import origin

    for each in origin(dataset, table, id):
        console.print(f"{each['file']}, line {each['line']}, rule {each['rule'] or 'none: taken as it is'}")


@app.command()
def suggest(
    dataset: Annotated[Path, typer.Argument(help="the dataset's DuckDB file")],
    output: Annotated[Path, typer.Option(help="where the proposals are written (CSV, Usagi's form)")],
    top: Annotated[int, typer.Option(help="proposals a code")] = 5,
) -> None:
    """Propose concepts for codes that have none, the most frequent first; a person accepts them.

    Example: ansim load suggest cdm.duckdb --output proposals.csv
    """
    from ansim.data.ingest.suggest import suggest as propose
    from ansim.data.ingest.suggest import write_proposals

    with _progress() as progress:
        progress("comparing names and codes")
        rows = propose(dataset, top=top)
    write_proposals(rows, output)
    table = _table("code", "name", "rows", "score", "concept", "proposal")
    for each in rows[:40]:
        texts = (
            each["sourceCode"],
            each["sourceName"] or "",
            f"{each['sourceFrequency']:,}",
            f"{each['matchScore']:.2f}",
        )
        table.add_row(*texts, str(each["conceptId"]), each["conceptName"])
    console.print(table)
    codes = len({(each["sourceVocabularyId"], each["sourceCode"]) for each in rows})
    console.print(
        f"{codes:,} codes have no concept; the proposals are in {output}. Nothing counts until it is accepted."
    )


@app.command()
def accept(
    proposals: Annotated[Path, typer.Argument(help="the file that `ansim load suggest` wrote")],
    code: Annotated[str, typer.Option(help="the source code")],
    concept: Annotated[int, typer.Option(help="the concept; 0: somebody looked and there is none")],
    reviewer: Annotated[str, typer.Option(help="who decides")],
    vocabulary: Annotated[str, typer.Option(help="the code's vocabulary as the proposals name it")] = "",
) -> None:
    """Accept a proposal, with the reviewer's name and today's date; then load with --code-map PROPOSALS.

    Example: ansim load accept proposals.csv --vocabulary LAB --code L3061 --concept 3004410 --reviewer kim
    """
    from ansim.data.ingest.suggest import accept as decide

    today = datetime.now(UTC).date().isoformat()
    decide(proposals, vocabulary=vocabulary, code=code, concept=concept, reviewer=reviewer, on=today)
    console.print(
        f"{code} is {'concept ' + str(concept) if concept else 'without a concept'}, by {reviewer} on {today}."
    )
