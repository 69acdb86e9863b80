"""Words of a text as the search sees them, and what a word may also mean.

Korean has no spaces inside compounds and its particles stick to words, so Hangul is indexed by single syllables (for
words such as 암) and by pairs of them; Latin text by words, in one spelling and without plural endings.
"""

import csv
import re
from functools import cache
from importlib.resources import files

WORD = re.compile(r"[0-9a-z]+|[가-힣]+")
JOINED = re.compile(r"(?<=[a-z])['-](?=[a-z])")
PARTICLES = re.compile(
    r"(?<=[가-힣]{2})(으로|에서|에게|까지|부터|처럼|이나|에는|의|를|을|은|는|이|가|와|과|로|도|에|한|된|인)$"
)
# Words that say what kind of thing is asked for, not which: they are never what a dataset is about.
PLAIN_WORDS = """
a an the of in on at for with and or to from by is are has have who whom which what where how many much any people
patient patients person persons data dataset datasets record records hospital hospitals since than more least over
환자 사람 자료 데이터 데이터셋 기록 병원 기관 어느 어떤 있는 있나요 있습니까 가진 찾은 입원한 복용 받은 관련 대한 위한
"""
PLAIN = frozenset(PLAIN_WORDS.split())
PREFIX = 4  # letters that two Latin words must share to be taken for forms of one word


def is_korean(word: str) -> bool:
    return word[0] >= "가"


def folded(text: str) -> str:
    """Lower case and one spelling: leukaemia and leukemia, tumour and tumor, pre-eclampsia and preeclampsia."""
    text = text.lower().replace("ae", "e").replace("oe", "e").replace("our", "or")
    return JOINED.sub("", text)


def words(text: str) -> list[str]:
    return WORD.findall(folded(text))


def stem(word: str) -> str:
    """Plural s away: enough for clinical nouns, and harmless where it is wrong on both sides alike."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "is", "us")) else word


def terms(text: str) -> set[str]:
    """What a text is indexed by."""
    found: set[str] = set()
    for word in words(text):
        found |= {*word, *pairs(word)} if is_korean(word) else {stem(word)}
    return found


def pairs(word: str) -> set[str]:
    return {word[place : place + 2] for place in range(len(word) - 1)}


def needed(phrase: str) -> frozenset[str]:
    """The terms that a text must have to hold a phrase: pairs of syllables, or the only one."""
    found: set[str] = set()
    for word in words(phrase):
        found |= (pairs(word) or {word}) if is_korean(word) else {stem(word)}
    return frozenset(found)


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """What a word or phrase (folded) also means, in the English that concept names use (`synonyms.csv`)."""
    text = files(__package__).joinpath("synonyms.csv").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(" ".join(words(row["word"])), []).append(row["means"])
    return {word: tuple(meanings) for word, meanings in found.items()}


def asked(query: str) -> list[str]:
    """The words and known phrases of a question, longest phrases first taken; plain words left out."""
    found, place, given = [], 0, [_bare(word) for word in words(query)]
    while place < len(given):
        length = next(
            (n for n in range(min(4, len(given) - place), 1, -1) if " ".join(given[place : place + n]) in synonyms()), 1
        )
        phrase = " ".join(given[place : place + length])
        if phrase not in PLAIN:
            found.append(phrase)
        place += length
    return found


def _bare(word: str) -> str:
    """A Korean word without its particle, unless it is a known word as it stands."""
    return word if not is_korean(word) or word in synonyms() else PARTICLES.sub("", word)


def within(word: str) -> list[str]:
    """Known Korean words inside a compound, the longest first: 혈액투석환자 holds 혈액투석."""
    spans = [word[a:b] for a in range(len(word)) for b in range(a + 2, len(word) + 1)] if is_korean(word) else []
    known = sorted({span for span in spans if span in synonyms() and span != word}, key=len, reverse=True)
    return [one for place, one in enumerate(known) if not any(one in longer for longer in known[:place])]
