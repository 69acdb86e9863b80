"""Direct identifiers in Korean and English free text: found by form, by label, and (names) by context.

One combined regular expression takes the numbers, and the words before a number say whose it is; names have their own
rules (`names`). What is found:
resident registration numbers of citizens and foreigners (full, spaced, in full-width digits, masked in part, or the
birth date with the sex digit alone), phones, e-mail, passports, driving licences, card numbers, addresses, and
after their label insurance, chart and account numbers. A number without form and label (eight bare digits that
happen to be a chart number) cannot be told from a measurement and is not found: docs/protection/deid.md says what
was measured.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansim.privacy.deid import names

_WIDE = {0xFF10 + n: str(n) for n in range(10)} | {0xFF0D: "-", 0x2013: "-", 0x2014: "-", 0xFF0A: "*", 0x2212: "-"}
_LETTERS = re.compile("[０-９－–—＊−]")
_M = "[*xX●○◯•#]"
_DATE = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_FREE = r"(?<![0-9A-Za-z*●○◯•\#-])"
_END = "(?![0-9A-Za-z])"
_MIDDLE = rf"(?:\d{{3,4}}|{_M}{{3,4}})"

# Tried only where a digit or a mask stands. The last two take other numbers as a whole: `number` is judged by the label
# before it, `rest` only saves the search from starting again within it.
_NUMBERS = re.compile(
    rf"""(?=[0-9+(*xX●○◯•\#])(?:
    {_FREE}(?P<resident_number>
        {_DATE}(?:\ ?-\ ?(?:[1-8](?:[0-9*xX●○◯•\#]{{6}})?|{_M}{{7}})|\ ?[1-8](?:\d{{6}}|{_M}{{6}}))
        |{_M}{{6}}\ ?-\ ?[1-8]\d{{6}}
        |\d\d{_M}{{4}}\ ?-\ ?[1-8*][0-9*]{{6}}){_END}
    |(?<![0-9A-Za-z.])(?P<phone>
        (?:\+?82[-.\ )]{{0,2}}(?:\(0\)|0)?|\(?0)1[016789]\)?[-.\ ]{{0,2}}{_MIDDLE}[-.\ ]?(?:\d{{4}}|{_M}{{4}})
        |(?:\+?82[-.\ ]{{1,2}}|\(?0)(?:2|[3-6][1-5]|70|80|50\d?)(?:\)\ ?|[-.\ ])
            {_MIDDLE}[-.\ ](?:\d{{4}}|{_M}{{4}})){_END}
    |(?<![0-9-])(?P<card_number>\d{{4}}[-\ ]\d{{4}}[-\ ]\d{{4}}[-\ ]\d{{4}})(?![0-9-])
    |(?<![0-9-])(?P<driving_licence>\d\d-\d\d-\d{{6}}-\d\d)(?![0-9-])
    |(?<=[MSRODG])(?P<passport>\d{{8}}|\d{{3}}[A-Z]\d{{4}}){_END}
    |(?P<number>\d[\d-]{{3,18}}\d){_END}
    |(?P<rest>\d[\d.,:/]*))""",
    re.VERBOSE,
)
_NO = r"(?:번호|[Nn][Oo]\b\.?|[Nn]umber\b|ID\b|\#)"
_BETWEEN = r"(?:[는은]|[\s:=.\#(\[]){0,5}\Z"
_LABELS = {
    "insurance-number": re.compile(
        rf"(?:건강\s?보험|건보|의료\s?급여|보험|[Ii]nsurance|NHIS)[가-힣\s]{{0,6}}{_NO}?{_BETWEEN}"
    ),
    "chart-number": re.compile(
        rf"(?:(?:(?<!주민)(?<!외국인)등록|차트|챠트|병록|환자|수진|진료|병원|원무|접수)\s?{_NO}|MRN"
        rf"|[Cc]hart\s?{_NO}|(?:[Hh]osp|[Hh]ospital|[Pp]t|[Pp]atient|[Rr]eg|[Uu]nit)\b\.?\s?{_NO}){_BETWEEN}"
    ),
    "account-number": re.compile(r"(?:계좌|입금)[가-힣\s]{0,6}[\s:]{0,2}\Z"),
}
_PREFIX = re.compile(r"[A-Z]{1,3}-?\Z")
_EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}")

# An address is known by a road or village with a number, and by the city, county or district before it.
_PLACE = re.compile(
    r"[로길동리]\s?(?=\d)\d{1,4}(?:-\d{1,4})?(?!\d|\.\d|\s?(?:mg|mL|cc|회|일|주|개|년|세|%))(?:\s?번지)?"
    r"(?:,?\s?(?:[가-힣A-Za-z]{1,12}\s?)?\d{1,4}동)?(?:,?\s?\d{1,4}호)?"
)
_BEFORE = re.compile(
    r"(?:(?<![가-힣])(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주|충청[남북]|전라[남북]"
    r"|경상[남북])(?:특별자치시|특별자치도|특별시|광역시|[시도])?\s(?:[가-힣]{1,5}[시군구읍면]\s){0,3}"
    r"|(?<![가-힣])(?:[가-힣]{1,5}[시군구읍면]\s){1,3})[가-힣0-9]{1,12}\Z"
)
KINDS = ("resident-number", "phone", "email", "card-number", "driving-licence", "passport", *_LABELS, "address", "name")


@dataclass(frozen=True)
class Finding:
    """text[start:end] looks like an identifier of the kind."""

    kind: str
    start: int
    end: int


def find(text: str, *, with_names: bool = True) -> list[Finding]:
    """Every identifier in a text, in order and without overlap (a form goes before a name)."""
    found = _apart(_forms(text))
    if with_names:
        taken = [(each.start, each.end) for each in found]
        found += [
            Finding("name", start, end)
            for start, end in names.find(text)
            if not any(start < last and first < end for first, last in taken)
        ]
    return sorted(found, key=lambda each: each.start)


def _apart(found: Iterable[Finding]) -> list[Finding]:
    """Without overlap: the earlier and longer one stays."""
    kept: list[Finding] = []
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    return kept


def _forms(text: str) -> Iterator[Finding]:
    plain = text.translate(_WIDE) if _LETTERS.search(text) else text  # letter for letter: places stay the same
    for match in _NUMBERS.finditer(plain):
        group, start, end = match.lastgroup or "rest", match.start(), match.end()
        if group == "rest":
            continue
        if group == "number":
            yield from _labelled(plain, start, end)
        elif group != "passport":
            yield Finding(group.replace("_", "-"), start, end)
        elif not plain[max(0, start - 2) : start - 1].isalnum():
            yield Finding(group, start - 1, end)
    if "@" in plain:
        yield from (Finding("email", *match.span()) for match in _EMAIL.finditer(plain))
    for match in _PLACE.finditer(plain):
        if before := _BEFORE.search(plain, max(0, match.start() - 45), match.start()):
            yield Finding("address", before.start(), match.end())


def _labelled(text: str, start: int, end: int) -> Iterator[Finding]:
    """A number that the words before it call a person's number."""
    if prefix := _PREFIX.search(text, max(0, start - 4), start):
        start = prefix.start()
    for kind, label in _LABELS.items():
        if label.search(text, max(0, start - 22), start):
            yield Finding(kind, start, end)
            return


def redact(text: str, *, with_names: bool = True) -> tuple[str, list[Finding]]:
    """(the text with `[kind]` in the place of each identifier, what was found in the original)."""
    found = find(text, with_names=with_names)
    parts, at = [], 0
    for each in found:
        parts += [text[at : each.start], f"[{each.kind}]"]
        at = each.end
    return "".join([*parts, text[at:]]), found


def kinds(values: Iterable[str | None], *, with_names: bool = False) -> dict[str, int]:
    """{kind: texts that hold it} over a column."""
    counts: dict[str, int] = {}
    for value in values:
        for kind in {each.kind for each in find(value, with_names=with_names)} if value else ():
            counts[kind] = counts.get(kind, 0) + 1
    return counts
