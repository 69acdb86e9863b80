"""How good a CDM is.

`assess`: every check of OHDSI's DataQualityDashboard (`dqd` reads and writes its JSON). Beyond it: `portrait` draws a
version in counts, `change` compares portraits, `oddities` looks for what no field's threshold sees, `fit` asks for one
study, `label` says it in the QUANTUM dimensions. Set-based on DuckDB, PostgreSQL and Spark alike.
"""

from ansim.data.quality.run import ERROR, FAIL, NOT_APPLICABLE, PASS, Result, assess
from ansim.data.quality.summary import CATEGORIES, summary
from ansim.data.quality.table import Check, CheckType, all_checks, by_id, checks, read_site_table, types

__all__ = [
    "CATEGORIES",
    "ERROR",
    "FAIL",
    "NOT_APPLICABLE",
    "PASS",
    "Check",
    "CheckType",
    "Result",
    "all_checks",
    "assess",
    "by_id",
    "checks",
    "read_site_table",
    "summary",
    "types",
]  # fmt: skip
