"""Every component of the shared look, in both languages and both schemes: axe-clean, narrow, reachable by keyboard."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parent))

from helpers import DESK, GALLERY, PHONE, browser, check_page, gallery, save, violations

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]

# (language, colour scheme); axe measures the contrast in each
STYLES = [("ko", "light"), ("ko", "dark"), ("en", "light"), ("en", "dark")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gallery(tmp_path_factory.mktemp("charts")) as url:
        yield url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@contextmanager
def opened(chromium: Browser, language: str, scheme: str) -> Iterator[Page]:
    context = chromium.new_context(locale=language, color_scheme=scheme, viewport=DESK, reduced_motion="reduce")
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    refused = [text for text in complaints if "Content Security Policy" in text]
    assert not refused  # nothing on a page may need inline style or script


@pytest.fixture(params=STYLES, ids="-".join)
def styled(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with opened(chromium, *request.param) as page:
        yield page


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with opened(chromium, "ko", "light") as page:
        yield page


@pytest.mark.parametrize("name", GALLERY)
def test_component_page(styled: Page, address: str, name: str, request: pytest.FixtureRequest) -> None:
    style = "-".join(request.node.callspec.params["styled"])
    page = styled
    page.goto(f"{address}/{name}/")
    save(page, f"{name}-{style}")
    check_page(page, keyboard=style == "ko-light")  # the order of the controls is the same in all styles
    broken = page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)")
    assert not broken
    page.set_viewport_size(PHONE)
    save(page, f"{name}-{style}-phone")


@pytest.mark.parametrize(("path", "status"), [("forbidden", 403), ("broken", 500), ("nowhere", 404)])
def test_error_page(page: Page, address: str, path: str, status: int) -> None:
    answer = page.goto(f"{address}/{path}/")
    assert answer is not None
    assert answer.status == status
    check_page(page, keyboard=False)


def test_language_switch_keeps_the_page(page: Page, address: str) -> None:
    page.goto(f"{address}/form/")
    before = page.locator("html").get_attribute("lang")
    page.locator("form.language button").click()
    assert page.url == f"{address}/form/"
    assert page.locator("html").get_attribute("lang") != before


def test_error_summary_leads_to_the_field(page: Page, address: str) -> None:
    page.goto(f"{address}/wrong/")
    links = page.locator(".summary a")
    assert links.count() == 8
    for index in range(links.count()):
        target = links.nth(index).get_attribute("href")
        assert page.locator(f"{target}").count() == 1


def test_the_checks_can_fail(page: Page, address: str) -> None:
    """Positive control: a page with planted faults is refused, each by its own check."""
    page.goto(f"{address}/form/")
    page.evaluate(
        """() => { const main = document.querySelector('main');
        main.insertAdjacentHTML('beforeend', '<img src="/static/web/logo.svg"><button tabindex="-1">x</button>');
        const wide = document.createElement('div'); wide.style.width = '900px'; wide.textContent = '.';
        main.append(wide); }"""
    )
    assert any("image-alt" in line for line in violations(page))
    with pytest.raises(AssertionError, match=r"(?s)not reached.*too wide at 320"):
        check_page(page)
