"""The journey as one HTML file with nothing beside it: what happened at each stage, every promise, and figures."""

import platform
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path

from ansim.demo.journey.promises import Played, Promise
from ansim.demo.journey.world import Journey

MORE = """
.journey { max-width: 72rem; margin-inline: auto; padding: 24px; }
.journey svg { max-width: 100%; height: auto; }
.journey figure { margin: 24px 0; background: #fff; border: 1px solid #cdd1d5; border-radius: 8px; padding: 16px; }
.journey .stage { border-top: 1px solid #cdd1d5; padding-block: 20px; }
.journey .held { color: #1b6e2d; } .journey .broken { color: #b3230a; font-weight: 700; }
.journey ul.promises { list-style: none; padding: 0; }
.journey ul.promises li { padding: 3px 0 3px 26px; text-indent: -26px; }
.journey .seen { color: #464c53; font-size: .85em; overflow-wrap: anywhere; }
.journey td.number, .journey th.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


def write(file: Path, journey: Journey, seconds: float) -> None:
    """Write the report; the file is there whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    part.write_text(page(journey, seconds), encoding="utf-8")
    part.replace(file)


def page(journey: Journey, seconds: float) -> str:
    """The whole document, Korean headings with English beside them."""
    promises = [promise for played in journey.played for promise in played.promises]
    held = sum(promise.held for promise in promises)
    whole = bool(promises) and held == len(promises)
    css = files("ansim.sites.web").joinpath("static/web/ansim.css").read_text("utf-8")
    verdict = (
        "모든 약속이 지켜졌습니다 · Every promise was kept"
        if whole
        else f"{len(promises) - held}개의 약속이 지켜지지 않았습니다 · {len(promises) - held} promises were broken"
    )
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    made = f"{datetime.now().astimezone():%Y-%m-%d %H:%M} · {seconds:.0f} s · {machine}"
    return f"""<!doctype html>
<html lang="ko"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>안심 여정 보고서 · Ansim journey report</title><style>{css}{MORE}</style></head>
<body class="kind-hub"><main class="journey">
<p class="over">안심 Ansim</p><h1>한 질문의 여정 <span lang="en">· The journey of one question</span></h1>
<p class="lead">{_both("바이러스 부비동염 이후의 만성 부비동염", "Chronic sinusitis after viral sinusitis")}</p>
<p class="big {"held" if whole else "broken"}"><strong>{verdict}</strong> ({held}/{len(promises)})</p>
<p class="seen">{escape(made)}</p>
{_overview(journey.played)}
{"".join(_figure(played) for played in journey.played if played.figures)}
{"".join(_stage(index, played) for index, played in enumerate(journey.played))}
</main></body></html>
"""


def _both(ko: str, en: str) -> str:
    return f'{escape(ko)} <span lang="en">· {escape(en)}</span>'


def _overview(stages: list[Played]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><a href="#stage-{index}">{played.number} {_both(played.ko, played.en)}</a></th>'
        f'<td class="number">{sum(each.held for each in played.promises)}/{len(played.promises)}</td>'
        f'<td class="number">{played.seconds:.1f}</td></tr>'
        for index, played in enumerate(stages)
    )
    heads = [("단계", "Stage", ""), ("지켜진 약속", "Promises kept", "number"), ("초", "Seconds", "number")]
    head = "".join(f'<th scope="col" class="{name}">{_both(ko, en)}</th>' for ko, en, name in heads)
    title = _both("단계별 요약", "Stages")
    return f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _figure(played: Played) -> str:
    drawn = "".join(
        f"<figure><figcaption><strong>{_both(ko, en)}</strong></figcaption>{svg}</figure>"
        for ko, en, svg in played.figures
    )
    return (
        f"<section><h2>{_both(f'{played.ko}에서 나온 그림', f'Figures of {played.en.lower()}')}</h2>{drawn}</section>"
    )


def _stage(index: int, played: Played) -> str:
    items = "".join(_promise(promise) for promise in played.promises)
    return (
        f'<section class="stage" id="stage-{index}"><h2>{played.number}. {_both(played.ko, played.en)}</h2>'
        f'<p lang="en">{escape(played.story)}</p><ul class="promises" lang="en">{items}</ul></section>'
    )


def _promise(promise: Promise) -> str:
    mark, name = ("✓", "held") if promise.held else ("✗", "broken")
    detail = f' <span class="seen">{escape(promise.detail[:600])}</span>' if promise.detail else ""
    text = f'<span class="{name}"><span aria-hidden="true">{mark}</span> {escape(promise.text)}</span>'
    return f"<li>{text}{detail}</li>"
