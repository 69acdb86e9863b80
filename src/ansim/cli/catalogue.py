"""`ansim catalogue describe`: the dataset description of a CDM as a catalogue shows and harvests it."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Descriptions of datasets for the public catalogue.")


class Form(StrEnum):
    jsonld = "jsonld"
    ttl = "ttl"
    html = "html"


@app.callback()
def group() -> None:
    """Descriptions of datasets for the public catalogue."""


@app.command()
def describe(
    cdm: Annotated[Path, typer.Argument(help="a CDM (OMOP 5.4) as a DuckDB file", metavar="CDM.duckdb")],
    format: Annotated[Form, typer.Option(help="HealthDCAT-AP as JSON-LD or Turtle, or a page")] = Form.jsonld,
    output: Annotated[Path | None, typer.Option(help="a file; without it, standard output")] = None,
    id: Annotated[str, typer.Option(help="the dataset's id; without it, from the file's name")] = "",
    holder: Annotated[str, typer.Option(help="the holder's name")] = "Hospital A",
    title_ko: Annotated[str, typer.Option(help="title in Korean")] = "공통데이터모델 자료",
    title_en: Annotated[str, typer.Option(help="title in English")] = "Data in the common data model",
    address: Annotated[str, typer.Option(help="where the description will stand")] = "https://catalogue.example/",
    threshold: Annotated[int, typer.Option(help="fewest people behind a number")] = 10,
    base: Annotated[int, typer.Option(help="numbers are rounded to multiples of it")] = 5,
    memory: Annotated[str, typer.Option(help="most memory of the data engine")] = "4GB",
) -> None:
    """Describe a CDM as HealthDCAT-AP (release 8) with its variables, their statistics, quality and conditions of use.

    Example: ansim catalogue describe hospital.duckdb --format ttl --output dataset.ttl
    """
    import re

    from ansim.cli.progress import showing
    from ansim.data.catalogue import dcat, html, rdf
    from ansim.data.catalogue import describe as make
    from ansim.data.cdm import file_digest
    from ansim.data.engine import DuckDB
    from ansim.data.profile import profile
    from ansim.data.quality import assess

    now = datetime.now(UTC)
    engine = DuckDB(cdm, memory=memory)
    try:
        with showing("description") as step:
            told = profile(engine, threshold=threshold, base=base, progress=step)
            step("quality", 1.0)
            checks = assess(engine.con, now=now)
    finally:
        engine.close()
    name = id or re.sub(r"[^a-z0-9._-]+", "-", cdm.stem.lower()).strip("-") or "dataset"
    one = make(
        told,
        checks,
        id=name,
        holder={"id": re.sub(r"[^a-z0-9._-]+", "-", holder.lower()).strip("-") or "holder",
                "name": {"ko": holder, "en": holder}},
        title={"ko": title_ko, "en": title_en},
        description={"ko": f"{holder}의 OMOP CDM 자료입니다.", "en": f"Records of {holder} in the OMOP CDM."},
        keywords={"ko": ["OMOP"], "en": ["OMOP"]},
        version=file_digest(cdm),
        issued=now,
    )  # fmt: skip
    if format is Form.html:
        text = html.page(one)
    else:
        node = dcat.dataset(one, f"{address.rstrip('/')}/{name}/")
        text = rdf.jsonld(node) if format is Form.jsonld else rdf.turtle(node)
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        typer.echo(text)
