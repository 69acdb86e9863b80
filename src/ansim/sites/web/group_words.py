"""A patient group as people read it: in Korean and English, as a flow of steps, and as text to keep."""

from typing import Any

import yaml
from django.utils.translation import gettext_lazy as _

from ansim.research.cohort.definition import attrition, consort
from ansim.research.cohort.definition.explain import explain
from ansim.research.cohort.definition.model import Definition
from ansim.research.cohort.query import parse
from ansim.sites.web import figures
from ansim.sites.web.formats import language


def written(query: dict) -> str:
    """The query as text that people can read and change."""
    return yaml.safe_dump(query, allow_unicode=True, sort_keys=False, width=100)


def told(made: dict) -> dict[str, Any]:
    """The group in words of both languages, as a flow without numbers, and as text."""
    definition = parse(made).cohort
    assert isinstance(definition, Definition)
    steps, reader = attrition.outline(definition), language()
    heading = definition.title
    return {
        "words": {each: explain(definition, each) for each in ("ko", "en")},
        "flow": figures.drawn(
            _("The steps in their order"), lambda scheme: consort.figure(steps, heading, reader, scheme),
            alt=", ".join(step.name or consort.WORDS[reader][step.step] for step in steps),
            note=_("How many are left after each step is counted at a hospital: ansim cohort run --attrition."),
        ),
        "text": written(made),
    }  # fmt: skip
