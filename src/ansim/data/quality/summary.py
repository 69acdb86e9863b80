"""What of a quality assessment may be published: verdicts counted by category and the broken checks by name."""

from collections.abc import Iterable

from ansim.data.quality.run import FAIL, NOT_APPLICABLE, PASS, Result

CATEGORIES = ("conformance", "completeness", "plausibility")


def summary(results: Iterable[Result]) -> dict:
    """No row is counted and no concept named: a check that one concept breaks is told by its table and field."""
    some = list(results)
    by_category = {
        category: {
            verdict: sum(one.type.category.lower() == category and one.verdict == verdict for one in some)
            for verdict in (PASS, FAIL, NOT_APPLICABLE)
        }
        for category in CATEGORIES
    }
    failed = sorted({(one.check.type, one.check.table, one.check.field) for one in some if one.verdict == FAIL})
    return {
        "categories": by_category,
        "failed": [{"check": name, "table": table, "field": field} for name, table, field in failed],
    }
