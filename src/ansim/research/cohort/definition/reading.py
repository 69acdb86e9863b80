"""A definition in whichever form it comes: our own (`cohort/1`) or OHDSI Circe JSON."""

from ansim.errors import N_
from ansim.research.cohort import texts
from ansim.research.cohort.checks import wrong
from ansim.research.cohort.definition import circe, form
from ansim.research.cohort.definition.model import Definition


def read(source: str | bytes | dict) -> Definition:
    """The definition. Raises Problem when it is of neither form, or naming the path of what is wrong in it."""
    value = texts.read(source, form.MAX_CHARACTERS, form.MAX_NESTING) if isinstance(source, str | bytes) else source
    if circe.looks_like(value):
        return circe.read(value)
    if isinstance(value, dict) and "ansim" in value:
        return form.read(value)
    raise wrong(
        "no-definition",
        "",
        N_("This is neither a cohort definition of ours nor OHDSI Circe JSON."),
        N_("Ours begins with ansim: cohort/1; Circe's has PrimaryCriteria."),
    )
