"""A question as people write it: "which hospitals have HbA1c for more than 1,000 people since 2018?"

Numbers of people and a year become filters; the other words are searched for.
"""

import re
from dataclasses import replace

from ansim.data.catalogue.search import Filters

UNITS = {"만": 10_000, "천": 1_000, "백": 100}
NUMBER = r"(\d[\d,]*)"
PEOPLE = re.compile(
    rf"(?:more than|at least|over|>=?|≥)\s*{NUMBER}\s*(?:people|patients|persons|individuals)?"
    rf"|{NUMBER}\s*([만천백]?)\s*명\s*(?:이상|초과|넘게|넘는|보다 많은)?(?:의)?",
    re.I,
)
SINCE = re.compile(r"(?:since|from|after)\s*(?:year\s*)?(\d{4})|(\d{4})\s*년?\s*(?:이후|부터|이래)(?:로|의|에)?", re.I)


def read(question: str, filters: Filters | None = None) -> tuple[str, Filters]:
    """(the words to search for, filters with what the question says put in; filters that were given stay)."""
    filters = filters or Filters()
    if found := SINCE.search(question):
        filters = replace(filters, since=filters.since or int(found[1] or found[2]))
        question = SINCE.sub(" ", question)
    if found := PEOPLE.search(question):
        number = int((found[1] or found[2]).replace(",", "")) * UNITS.get(found[3] or "", 1)
        filters = replace(filters, people=filters.people or number)
        question = PEOPLE.sub(" ", question)
    return " ".join(question.split()), filters
