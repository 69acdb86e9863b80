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
INK = {  # text, quiet line, edge, fill, fill of what is left out, its edge, ground
    "light": ("#1e2124", "#464c53", "#256ef4", "#ecf2fe", "#f4f5f6", "#cdd1d5", "#ffffff"),
    "dark": ("#f1f3f5", "#b6bec6", "#6c9cf8", "#1c2a44", "#22272c", "#5a636c", "#14171a"),
}
PARTS = ("ink", "quiet", "edge", "fill", "out", "out_edge", "ground")
WIDTH, BOX, SIDE, LINE, GAP, PAD = 720, 380, 300, 20, 34, 12
FONT = "Pretendard GOV, Pretendard, Noto Sans KR, NanumGothic, Malgun Gothic, system-ui, sans-serif"


def figure(steps: Sequence[Step], title: str, language: str, scheme: str = "light") -> str:
    """The figure as SVG text in "ko" or "en". Counts are shown as given: protect them before they leave a site.

    Steps that nobody counted (`attrition.outline`) are boxes without numbers. scheme: light or dark.
    """
    if language not in WORDS:
        raise Problem("no-language", N_("Texts are there in Korean (ko) and English (en)."), where="language")
    words, ink = WORDS[language], dict(zip(PARTS, INK[scheme], strict=True))
    heading = title
    if steps[0].people is not None:
        heading = words["title"].format(title=title, first=f"{steps[0].people:,}", last=f"{steps[-1].people:,}")
    parts, top = [], PAD
    lines = wrap(heading, 60)
    parts.append(_text(ink, 0, top, lines, bold=True))
    top += len(lines) * LINE + PAD
    for place, step in enumerate(steps):
        if place:
            parts.append(_arrow(ink, top) + _lost(words, ink, steps[place - 1], step, top))
            top += GAP
        shown, height = _step(words, ink, step, top)
        parts.append(shown)
        top += height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top + PAD}" '
        f'viewBox="0 0 {WIDTH} {top + PAD}" role="img" lang="{language}" '
        f'font-family="{FONT}" font-size="14"><title>{escape(heading)}</title>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{ink["quiet"]}"/></marker></defs>'
        f'<rect width="{WIDTH}" height="{top + PAD}" fill="{ink["ground"]}"/>{"".join(parts)}</svg>'
    )


def _step(words: dict[str, str], ink: dict[str, str], step: Step, top: int) -> tuple[str, int]:
    lines = wrap(step.name or words[step.step], 46)
    counted = step.people is not None
    height = (len(lines) + counted) * LINE + PAD
    edge = f'fill="{ink["fill"]}" stroke="{ink["edge"]}"'
    box = f'<rect x="1" y="{top}" width="{BOX}" height="{height}" rx="6" {edge}/>'
    below = ""
    if counted:
        count = words["left"].format(people=f"{step.people:,}", events=f"{step.events:,}")
        below = _text(ink, PAD, top + PAD // 2 + len(lines) * LINE, [count], bold=True)
    return box + _text(ink, PAD, top + PAD // 2, lines) + below, height


def _arrow(ink: dict[str, str], top: int) -> str:
    x = BOX // 2
    return f'<path d="M{x} {top}V{top + GAP - 1}" stroke="{ink["quiet"]}" marker-end="url(#tip)"/>'


def _lost(words: dict[str, str], ink: dict[str, str], before: Step, after: Step, top: int) -> str:
    """Beside the way down how many left, where they were counted."""
    if before.people is None or after.people is None or before.events is None or after.events is None:
        return ""
    people, events = before.people - after.people, before.events - after.events
    text = words["out"].format(people=f"{people:,}", events=f"{events:,}")
    x, middle, beside = BOX // 2, top + GAP // 2, BOX + PAD + 2
    edge = f'fill="{ink["out"]}" stroke="{ink["out_edge"]}"'
    return (
        f'<path d="M{x} {middle}H{BOX + PAD}" stroke="{ink["quiet"]}" marker-end="url(#tip)"/>'
        f'<rect x="{beside}" y="{middle - 14}" width="{SIDE}" height="28" rx="6" {edge}/>'
        + _text(ink, BOX + 2 * PAD, middle - 10, [text])
    )


def _text(ink: dict[str, str], x: int, top: int, lines: Sequence[str], bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return "".join(
        f'<text x="{x}" y="{top + 15 + place * LINE}" fill="{ink["ink"]}"{weight}>{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
