"""An engine by settings: where a site's CDM lives, as `site.toml` says it under [options.engine]."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansim.data.engine.duck import DuckDB
from ansim.data.engine.postgres import Postgres
from ansim.data.engine.protocol import Engine, missing
from ansim.data.engine.spark import Spark
from ansim.errors import N_, Problem


def open_engine(settings: Mapping[str, Any]) -> Engine:
    """kind "duckdb": path, memory, threads. "postgres": dsn, schema, memory. "spark": schema, master (local[2],
    spark://…), memory of the driver. Raises Problem when the kind or a setting is unknown, or nothing answers."""
    given = dict(settings)
    kind = given.pop("kind", "duckdb")
    makers: dict[str, Callable[..., Engine]] = {"duckdb": _duckdb, "postgres": Postgres, "spark": _spark}
    if kind not in makers:
        raise Problem(
            "unknown-engine",
            N_("There is no data engine {kind}."),
            where="options.engine.kind",
            remedy=N_("Say duckdb, postgres or spark."),
            kind=kind,
        )
    try:
        return makers[kind](**given)
    except TypeError as error:
        raise Problem(
            "engine-settings", N_("A setting of the data engine is wrong: {detail}"), where="options.engine",
            detail=str(error),
        ) from error  # fmt: skip


def _duckdb(path: str, memory: str | None = None, threads: int | None = None) -> DuckDB:
    return DuckDB(Path(path), memory=memory, threads=threads)


def _spark(schema: str = "", master: str = "local[2]", memory: str = "2g") -> Spark:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise missing("pyspark", "spark") from error
    settings = {"spark.ui.enabled": "false", "spark.driver.memory": memory, "spark.sql.ansi.enabled": "true"}
    builder = SparkSession.builder.master(master).appName("ansim")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return Spark(builder.getOrCreate(), schema=schema)
