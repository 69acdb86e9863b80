"""Names of people in Korean and English clinical text, by context.

A Korean name is a surname and one or two syllables; so are many words of medicine (고혈압, 신부전, 조영제).
So a name counts only where its place says that a person is meant: after a label or a role, or before 님, a title
or (age/sex); and a word of the field (`not_names.txt`) never counts. A name that was recognised once in a text is
taken wherever it stands in that text. A name in a place that says nothing is not found: this is why texts are read
by a person before they leave.
"""

import re
from collections.abc import Iterator
from pathlib import Path

_SURNAME = (
    "(?:남궁|황보|제갈|사공|선우|서문|독고|동방|"
    "[김이박최정강조윤장임한오서신권황안송류유홍전고문양손배백허남심노하곽성차주우구나민진지엄채원천방공현함변염여추도소석선"
    "설마길연위표명기반왕금옥육인맹제모탁국어은편용예경봉사부가복태목형두감음빈동온호범좌팽승간견당라궁피])"
)
_NAME = _SURNAME + "[가-힣]{1,2}"
_PARTICLE = "(?:님|씨|에게|께서|께|이며|이고|이|가|은|는|의|을|를|과|와|도|로)?"
_STOP = rf"(?={_PARTICLE}(?![가-힣]))"
_LABEL = r"(?:성\s?명|이\s?름|환자\s?명|환자\s?성명|수진자\s?명?|피검자\s?명?|보호자\s?명|담당의?\s?명|예금주|서명)"
_ROLE = (
    "(?:주치의|담당의|집도의|판독의|수술의|의뢰의|마취의|시술의|지정의|전담의|검사자|판독자|작성자|간병인|배우자|남편|아내|부인"
    "|아들|딸|며느리|사위|모친|부친|어머니|아버지|모|부|누나|언니|오빠|형|동생|자녀|보호자|대리인|환자|환아|산모|망인|고)"
    r"(?:\s?\([가-힣]{1,4}\))?"
)
_TITLES = (
    *(
        "교수",
        "간호사",
        "선생",
        "원장",
        "과장",
        "부장",
        "실장",
        "팀장",
        "전공의",
        "전문의",
        "인턴",
        "레지던트",
        "펠로우",
    ),
    *("의사", "약사", "치료사", "물리치료사", "사회복지사", "영양사", "방사선사", "임상병리사", "조무사", "기사"),
)
_TITLE = f"(?:{'|'.join(_TITLES)})"
_SEXAGE = r"\(\s?(?:[MFmf남여]\s?[/,]\s?\d{1,3}|(?:만\s?)?\d{1,3}\s?세?\s?[/,]\s?[MFmf남여]|(?:만\s?)?\d{1,3}\s?세)"
# A person is meant by the words before (a label, a role), or by what comes after; English by titles and labels.
_LABELLED = re.compile(rf"{_LABEL}\s?[:：=]?\s?({_NAME})(?![가-힣])")
_IN_ROLE = re.compile(rf"(?<![가-힣]){_ROLE}(?:\s?[:：]\s?|\s)({_NAME}){_STOP}")
_AFTERWARDS = re.compile(
    rf"\s?(?:님|씨)(?:[은는이가의을를과와도]|께서|께|에게)?(?![가-힣])|\s?{_SEXAGE}|\s{_TITLE}(?![가-힣]{{3}})"
)
_ENDING_HERE = re.compile(rf"(?<![가-힣]){_NAME}\Z")
_ENGLISH = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof)\b\.?|\b(?i:patient|pt)(?i:\s?name)?\s?[:=]|\b[Nn]ame\s?[:=])\s{0,2}"
    r"([A-Z][a-z]+(?:[ ,-]{1,2}[A-Z][a-z]+){0,2})"
)

# Words that have the form of a name and stand in a name's place; none is anybody's name in a note.
_WORDS = frozenset(Path(__file__).with_name("not_names.txt").read_text("utf-8").split())
# In an unsure place a word that ends like one of medicine is no name either; few given names end so.
_TAILS = "이가은는의을를과와도로함됨임중후시"
_ENDINGS = ("증", "염", "암", "통", "압", "병", "뇨", "혈", "술", "제", "약", "액", "관", "절", "골", "막", "력")


def find(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every name."""
    spans = {match.start(1): match.end(1) for match in _ENGLISH.finditer(text)}
    korean = {start: end for start, end, sure in _korean(text) if _is_name(text[start:end], sure)}
    spans |= korean
    known = {name for start, end in korean.items() if len(name := text[start:end]) >= 3}
    if known:
        again = re.compile("(?<![가-힣])(?:" + "|".join(map(re.escape, sorted(known))) + ")")
        for match in again.finditer(text):
            spans.setdefault(match.start(), match.end())
    yield from sorted(spans.items())


def _korean(text: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether the place is sure) of what stands in a name's place."""
    for match in _LABELLED.finditer(text):
        yield match.start(1), match.end(1), True
    for match in _AFTERWARDS.finditer(text):
        if before := _ENDING_HERE.search(text, max(0, match.start() - 5), match.start()):
            yield before.start(), before.end(), not match.group().strip().startswith(_TITLES)
    for match in _IN_ROLE.finditer(text):
        yield match.start(1), match.end(1), False


def _is_name(word: str, sure: bool) -> bool:
    if word in _WORDS:
        return False
    if sure or len(word) < 3:
        return True
    # 안정을, 이송함: a word with its particle; the price is a person called 이상은 in such a place
    return not (word.endswith(_ENDINGS) or (word[:2] in _WORDS and word[2] in _TAILS))
