"""Where a CDM lives: DuckDB by default, PostgreSQL or Spark where the hospital already has it; one query for all.

A query is a SQLGlot tree or a text in DuckDB's dialect; each engine generates its own SQL from it. Engines only read.
Portable queries keep to counting, sums, extremes, CASE, GROUP BY and windows (docs/data/engines.md).
"""

from ansim.data.engine.duck import DuckDB
from ansim.data.engine.opening import open_engine
from ansim.data.engine.postgres import Postgres
from ansim.data.engine.protocol import Engine, Query, answers, generate
from ansim.data.engine.spark import Spark
from ansim.data.engine.without import Without

__all__ = ["DuckDB", "Engine", "Postgres", "Query", "Spark", "Without", "answers", "generate", "open_engine"]
