"""What the tags and charts of the shared look write, read from the gallery's pages without a browser."""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree  # our own drawings

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "browser"))
from helpers import GALLERY, gallery

Fetch = Callable[..., str]
VOID = {"meta", "link", "img", "input", "br", "source", "hr"}


@pytest.fixture(scope="module")
def fetch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetch]:
    with gallery(tmp_path_factory.mktemp("charts")) as address:

        def get(path: str, language: str = "en") -> str:
            request = urllib.request.Request(f"{address}{path}", headers={"Accept-Language": language})  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                    return answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.read().decode()

        yield get


class Balance(HTMLParser):
    """Raises where a tag is closed that was not opened last."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert "style" not in names, (tag, attrs)
        assert not [name for name in names if name.startswith("on")], (tag, attrs)
        assert tag not in ("script", "style")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()


@pytest.mark.parametrize("path", [*GALLERY, "forbidden", "broken", "nowhere"])
def test_html_is_balanced_and_free_of_inline_code(fetch: Fetch, path: str) -> None:
    reader = Balance()
    reader.feed(fetch(f"/{path}/"))
    assert reader.open == []


def test_suppressed_numbers_are_shown_and_explained(fetch: Fetch) -> None:
    page = fetch("/tables/")
    assert page.count('<span class="suppressed">&lt;10</span>') == 3
    assert "stands for a number below 10" in page
    assert "&amp;lt;" not in page


def test_texts_of_people_are_escaped(fetch: Fetch) -> None:
    page = fetch("/hostile/")
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") >= 7  # title twice, tag, fact, cell, link, moment


def test_instants_are_told_in_korea(fetch: Fetch) -> None:
    assert "30 November 2026, 18:30" in fetch("/case/")
    assert "2026년 11월 30일 18:30" in fetch("/case/", "ko")


def test_refusals_speak_the_language_of_the_reader(fetch: Fetch) -> None:
    assert "This is a document of kind query/0, but query/1 is needed." in fetch("/history/")
    assert "이 문서의 종류는 query/0이지만 query/1 문서가 필요합니다." in fetch("/history/", "ko")


def test_errors_say_what_to_do_at_the_top_and_at_the_field(fetch: Fetch) -> None:
    page = fetch("/wrong/")
    for advice in ("Fill this in.", "Choose one.", "Choose at least one.", "Tick this box", "Enter a day that exists"):
        assert page.count(advice) >= 2
    assert '<a href="#id_area_0">Area of research: Choose one.</a>' in page
    described = re.findall(r'aria-describedby="([^"]+)"', page)
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert described
    assert all(name in ids for names in described for name in names.split())


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_chart_is_drawn_in_both_schemes(fetch: Fetch, language: str) -> None:
    page = fetch("/dataset/", language)
    addresses = re.findall(r'(?:src|srcset)="(/charts/[^"]+)"', page)
    assert len(addresses) == 14
    drawings = [fetch(address) for address in addresses]
    assert len(set(drawings)) == 14
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)  # noqa: S314
        assert float(root.attrib["width"]) <= 521
        assert "<script" not in drawing
    years = drawings[1]
    assert ">&lt;10<" in years  # the suppressed year
    assert ("인원" if language == "ko" else "People") in years


def test_a_chart_cannot_be_guessed(fetch: Fetch) -> None:
    for path in ("/charts/" + "0" * 64 + ".light.svg", "/charts/..%2f..%2fsettings.light.svg", "/charts/x.mauve.svg"):
        assert "<svg" not in fetch(path)
        assert "SECRET_KEY" not in fetch(path)
