"""The attrition of a cohort as a CONSORT flow (https://www.consort-statement.org): boxes of who is left, SVG."""

from collections.abc import Sequence
from html import escape
from textwrap import wrap

from ansim.errors import N_, Problem
from ansim.research.cohort.definition.attrition import Step

WORDS = {
    "en": {
        "entry": "Entry events in observation",
        "where": "Additional criteria",
        "limit": "One event a person",
        "left": "{people} people ({events} events)",
        "out": "Left out: {people} people ({events} events)",
        "title": "{title}: {last} of {first} people remain",
    },
    "ko": {
        "entry": "관찰 기간 안의 진입 사건",
        "where": "추가 조건",
        "limit": "사람마다 사건 하나",
        "left": "{people}명 (사건 {events}건)",
        "out": "제외: {people}명 (사건 {events}건)",
        "title": "{title}: {first}명 중 {last}명 남음",
    },
}
WIDTH, BOX, SIDE, LINE, GAP, PAD = 720, 380, 300, 20, 34, 12
FONT = "Pretendard GOV, Pretendard, Noto Sans KR, NanumGothic, Malgun Gothic, system-ui, sans-serif"


def figure(steps: Sequence[Step], title: str, language: str) -> str:
    """The figure as SVG text in "ko" or "en". Counts are shown as given: protect them before they leave a site."""
    if language not in WORDS:
        raise Problem("no-language", N_("Texts are there in Korean (ko) and English (en)."), where="language")
    words = WORDS[language]
    heading = words["title"].format(title=title, first=f"{steps[0].people:,}", last=f"{steps[-1].people:,}")
    parts, top = [], PAD
    lines = wrap(heading, 60)
    parts.append(_text(0, top, lines, bold=True))
    top += len(lines) * LINE + PAD
    for place, step in enumerate(steps):
        if place:
            parts.append(_lost(words, steps[place - 1], step, top))
            top += GAP
        shown, height = _step(words, step, top)
        parts.append(shown)
        top += height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + PAD}" role="img" lang="{language}" '
        f'font-family="{FONT}" font-size="14"><title>{escape(heading)}</title>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#464c53"/></marker></defs>'
        f'<rect width="{WIDTH}" height="{top + PAD}" fill="#ffffff"/>{"".join(parts)}</svg>'
    )


def _step(words: dict[str, str], step: Step, top: int) -> tuple[str, int]:
    lines = wrap(step.name or words[step.step], 46)
    height = (len(lines) + 1) * LINE + PAD
    count = words["left"].format(people=f"{step.people:,}", events=f"{step.events:,}")
    box = f'<rect x="1" y="{top}" width="{BOX}" height="{height}" rx="6" fill="#ecf2fe" stroke="#256ef4"/>'
    below = _text(PAD, top + PAD // 2 + len(lines) * LINE, [count], bold=True)
    return box + _text(PAD, top + PAD // 2, lines) + below, height


def _lost(words: dict[str, str], before: Step, after: Step, top: int) -> str:
    """The arrow down to the next box, and beside it how many left."""
    people, events = before.people - after.people, before.events - after.events
    text = words["out"].format(people=f"{people:,}", events=f"{events:,}")
    x, middle, beside = BOX // 2, top + GAP // 2, BOX + PAD + 2
    arrow = 'stroke="#464c53" marker-end="url(#tip)"'
    return (
        f'<path d="M{x} {top}V{top + GAP - 1}" {arrow}/><path d="M{x} {middle}H{BOX + PAD}" {arrow}/>'
        f'<rect x="{beside}" y="{middle - 14}" width="{SIDE}" height="28" rx="6" fill="#f4f5f6" stroke="#cdd1d5"/>'
        + _text(BOX + 2 * PAD, middle - 10, [text])
    )


def _text(x: int, top: int, lines: Sequence[str], bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return "".join(
        f'<text x="{x}" y="{top + 15 + place * LINE}" fill="#1e2124"{weight}>{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
