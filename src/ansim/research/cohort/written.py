"""A question as people write it: a query, or a cohort definition of either form with what a query has beside it."""

from typing import Any

from ansim.research.cohort import texts
from ansim.research.cohort.definition import form
from ansim.research.cohort.definition.reading import read
from ansim.research.cohort.query import WIDER, Query, parse

USUAL = ({"name": "sex", "kind": "sex"}, {"name": "age_band", "kind": "age_band", "width": 10})
ALWAYS = {"from": "1900-01-01", "to": "2099-12-31"}


def question(source: str | dict, *, name: str = "", beside: dict[str, Any] | None = None) -> Query:
    """The query that a text or document means.

    A query is taken as it is. A cohort definition of ours, or OHDSI Circe JSON, becomes the cohort of a query/2: with
    its own title (else `name`), sex and age in bands of ten years as variables, and no bounds of time, unless `beside`
    says otherwise ({title, variables, period}, as a query has them). Raises Problem naming the path of what is wrong.
    """
    value = texts.read(source, form.MAX_CHARACTERS, form.MAX_NESTING) if isinstance(source, str) else source
    if isinstance(value, dict) and str(value.get("ansim", "")).startswith("query/"):
        return parse(value)
    definition = read(value)
    title = (definition.title or name or "?")[:200]
    usual = {"title": {"ko": title, "en": title}, "variables": list(USUAL), "period": ALWAYS}
    return parse({"ansim": WIDER, "cohort": form.write(definition)} | usual | (beside or {}))
