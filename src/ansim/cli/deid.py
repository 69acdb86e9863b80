"""`ansim deid`: plan, run, risk and text, without any site."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Pseudonymise tables and texts, and measure the risk that is left.")
console = Console()
errors = Console(stderr=True)
Data = Annotated[Path, typer.Argument(help="a folder of CSV or Parquet files, one such file, or a DuckDB file")]


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=errors, transient=True
    )


@app.command()
def plan(
    data: Data,
    output: Annotated[Path, typer.Option(help="where the plan is written, as JSON")] = Path("plan.json"),
    k: Annotated[int, typer.Option(help="the fewest people who must look alike")] = 5,
    shift_days: Annotated[int, typer.Option(help="dates of a person move by up to so many days")] = 180,
    rows: Annotated[int, typer.Option(help="values shown before and after")] = 3,
) -> None:
    """Draft a plan from the data and show what it would do; nothing of the data is written.

    Example: ansim deid plan hospital/ --output plan.json
    """
    from ansim.documents import digest
    from ansim.privacy.deid import tables, tables_run

    with tables.open_data(data) as con, _progress() as progress:
        progress.add_task("Reading the data …")
        drafted = tables.draft(con, tables.version(data), k=k, shift_days=shift_days)
        shown = list(tables_run.preview(con, drafted, rows))
    table = Table("Column", "Treatment", "Why", "Rows", "Different", "Before", "After")
    for each in shown:
        name = f"{each['table']}.{each['column']}"
        before, after = ("\n".join(value[:40] for value in each[side]) for side in ("before", "after"))
        table.add_row(name, each["action"], each["why"], f"{each['rows']:,}", f"{each['distinct']:,}", before, after)
    output.write_text(json.dumps(drafted, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(table)
    console.print(
        f"Plan {digest(drafted)[:16]} written to {output}. Read it, change it, then: ansim deid run {output} {data}"
    )


@app.command()
def run(
    plan: Annotated[Path, typer.Argument(help="a plan of `ansim deid plan`, as people left it")],
    data: Data,
    output: Annotated[Path, typer.Option(help="a new folder for the pseudonymised tables")],
    key: Annotated[Path, typer.Option(help="the project's secret, 32 bytes; made when it is not there")],
) -> None:
    """Write the tables by a plan; the gate refuses what is not planned, any identifier, and a k under policy.

    The key is additional information: keep it apart from the data. Deleting it makes the pseudonyms final.
    Example: ansim deid run plan.json hospital/ --output extract --key secrets/project.key
    """
    from ansim.errors import N_, Problem
    from ansim.privacy.deid import keys, tables, tables_run

    wanted = json.loads(plan.read_text("utf-8"))
    if wanted.get("data_version") != tables.version(data):
        raise Problem(
            "other-data",
            N_("The plan was made for other data."),
            where=str(plan),
            remedy=N_("Draft the plan anew for these data."),
        )
    secret = _secret(key)
    with tables.open_data(data) as con, _progress() as progress:
        task = progress.add_task("Pseudonymising …")
        manifest = tables_run.run(
            con,
            wanted,
            lambda ids: keys.pseudonyms(secret, ids),
            lambda ids: keys.date_shifts(secret, ids, wanted["shift_days"]),
            output,
            progress=lambda name: progress.update(task, description=f"Writing {name} …"),
        )
    rows = sum(facts["rows"] for facts in manifest["tables"].values())
    console.print(f"{len(manifest['tables'])} tables, {rows:,} rows, {manifest['people']:,} people in {output}.")
    console.print(f"k = {manifest['k']}, {manifest['suppressed']} people suppressed.")


def _secret(file: Path) -> bytes:
    """The secret in a file that only its owner can read; made there when it is not."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(os.urandom(32))
    return file.read_bytes()


@app.command()
def risk(
    data: Data,
    quasi: Annotated[str, typer.Option(help="quasi-identifiers, with commas between them")],
    table: Annotated[str, typer.Option(help="which table, where there are several")] = "",
    sensitive: Annotated[str, typer.Option(help="sensitive columns; ':ordered' after a name for ranks")] = "",
    person: Annotated[str, typer.Option(help="the column that tells people apart, where one has several rows")] = "",
    k: Annotated[int, typer.Option(help="policy: the fewest people who must look alike")] = 1,
    l: Annotated[float, typer.Option(help="policy: l-diversity")] = 0,  # noqa: E741 (the letter of the article)
    t: Annotated[float, typer.Option(help="policy: t-closeness")] = 1,
    population: Annotated[Path | None, typer.Option(help="a table of everybody of whom these are a sample")] = None,
    population_size: Annotated[int, typer.Option(help="only the number of them, for estimates")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="the whole report as JSON")] = False,
) -> None:
    """How easily people in a table can be told apart; exits with 1 when the policy is not met.

    Example: ansim deid risk people.csv --quasi sex,age,region --sensitive diagnosis --k 5
    """
    from ansim.privacy.deid import risk as risks
    from ansim.privacy.deid import tables
    from ansim.privacy.deid.sql import quote

    with tables.open_data(data) as con, _progress() as progress:
        progress.add_task("Counting …")
        everybody = None
        if population:
            reader = "read_parquet" if population.suffix == ".parquet" else "read_csv"
            everybody = f"(SELECT * FROM {reader}('{str(population).replace(chr(39), chr(39) * 2)}'))"
        columns = (each.partition(":") for each in sensitive.split(",") if each)
        report = risks.report(
            con,
            quote(table or next(iter(tables.tables_of(con)))),
            [name.strip() for name in quasi.split(",") if name.strip()],
            {name.strip(): kind or risks.EQUAL for name, _, kind in columns},
            {"k": k, "l": l, "t": t},
            person=person or None,
            population=everybody,
            population_size=population_size or None,
        )
    if as_json:
        console.print_json(data=report)
    else:
        _show(report)
    raise typer.Exit(0 if report["met"] else 1)


def _show(report: dict) -> None:
    table = Table("Figure", "Value")
    names = {
        "people": "People",
        "classes": "Classes of people who look alike",
        "k": "k (missing values as a category)",
        "k_wildcard": "k (missing values as wildcards)",
        "uniques": "People who are unique",
        "prosecutor_highest": "Prosecutor risk, highest",
        "marketer": "Marketer risk, average",
    }
    for name, words in names.items():
        table.add_row(words, f"{report[name]:,.4g}" if isinstance(report[name], float) else f"{report[name]:,}")
    for figure in ("l", "entropy_l", "recursive_c", "t"):
        for column, value in report[figure].items():
            table.add_row(f"{figure} of {column}", f"{value:.4g}")
    for name, value in (report.get("population") or {}).items():
        table.add_row(f"Population: {name.replace('_', ' ')}", str(value))
    console.print(table)
    for reason in report["reasons"]:
        console.print(f"[bold red]Not met:[/] {reason}")


@app.command()
def text(
    file: Annotated[Path, typer.Argument(help="a text file in UTF-8")],
    output: Annotated[
        Path | None, typer.Option(help="where the text without identifiers is written; else shown")
    ] = None,
    names: Annotated[bool, typer.Option(help="look for names of people too")] = True,
) -> None:
    """Replace the identifiers in a text by their kind. A machine misses some: read the result before it leaves.

    Example: ansim deid text note.txt --output clean.txt
    """
    from collections import Counter

    from ansim.errors import N_, Problem
    from ansim.privacy.deid import texts

    try:
        source = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            "not-a-text",
            N_("{name} cannot be read as a text in UTF-8."),
            where=str(file),
            name=file.name,
        ) from error
    clean, found = texts.redact(source, with_names=names)
    if output:
        output.write_text(clean, "utf-8")
    else:
        typer.echo(clean)
    counts = Counter(each.kind for each in found)
    errors.print(", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items())) or "Nothing was found.")


@app.command()
def twin(
    data: Data,
    output: Annotated[Path, typer.Option(help="a new folder for the twin's Parquet files")],
    people: Annotated[int, typer.Option(help="how many people the twin has; the true number stays unknown")] = 200,
    min_people: Annotated[int, typer.Option(help="codes that fewer people have are left out")] = 10,
) -> None:
    """Write a synthetic twin: same tables, columns, types and codes, nobody's values. For writing scripts outside.

    Results on it mean nothing: values are drawn evenly and independently of one another.
    Example: ansim deid twin extract/ --output twin
    """
    from ansim.privacy.deid import twin as twins

    with _progress() as progress:
        progress.add_task("Reading shapes …")
        done = twins.make(data, output, min_people=min_people, people=people)
    table = Table("File", "Rows", "Columns", "Codes")
    for name, facts in done.items():
        table.add_row(name, *(f"{facts[part]:,}" for part in ("rows", "columns", "codes")))
    console.print(table)
