"""Looks at pages as people do: a real browser, axe-core, a narrow phone, the keyboard.

For tests of any site: ``browser()`` gives Debian's chromium, ``check_page(page)`` raises AssertionError with what is
wrong, ``save(page, name)`` keeps a picture when ANSIM_SCREENSHOTS names a folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
]
PHONE, DESK = {"width": 320, "height": 640}, {"width": 1280, "height": 900}
GALLERY = [
    "case",
    "dataset",
    "tables",
    "form",
    "group",
    "method",
    "wrong",
    "checks",
    "confirm",
    "history",
    "sign-in",
    "step-up",
]
TARGET = 24  # px: WCAG 2.2 target size (minimum); controls of our own are 44

# Everything a keyboard can reach, in the order of the page.
FOCUSABLE = """() => [...document.querySelectorAll(
  'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
  .filter(e => !e.disabled && e.checkVisibility({visibilityProperty: true}))
  .filter(e => !(e.type === 'radio' && e.name && e !== (document.querySelector(`input[name="${e.name}"]:checked`)
      || document.querySelector(`input[name="${e.name}"]`))))
  .map((e, i) => { e.dataset.stop = i; return e.outerHTML.slice(0, 90); })"""
HIDDEN_FOCUS = """() => { const e = document.activeElement, s = getComputedStyle(e);
  return s.outlineStyle === 'none' && s.boxShadow === 'none'; }"""
SMALL = """(least) => [...document.querySelectorAll(
  'button, .button, select, textarea, nav a, input:not([type=hidden])')]
  .filter(e => e.getClientRects().length).filter(e => { const b = e.getBoundingClientRect();
    return b.height < least || b.width < least; }).map(e => e.outerHTML.slice(0, 90))"""


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        try:
            yield started
        finally:
            started.close()


@contextmanager
def gallery(charts: Path) -> Iterator[str]:
    """Runs the gallery in a process of its own, its drawings in the folder `charts`, and gives its address."""
    environment = {**os.environ, "ANSIM_GALLERY_CHARTS": str(charts)}
    with subprocess.Popen(
        [sys.executable, "-m", "gallery"],
        cwd=Path(__file__).parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://"), "the gallery did not start; run `python -m gallery` in tests/browser"
            yield address
        finally:
            process.terminate()


def violations(page: Page) -> list[str]:
    """What axe-core finds, one line a kind: id, why it matters, the elements."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: "
        + "; ".join(" ".join(map(str, node["target"])) + " " + node["html"][:120] for node in rule["nodes"][:4])
        for rule in found
    ]


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window: people would have to scroll sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def unreachable(page: Page) -> list[str]:
    """Controls that the Tab key never comes to, or on which the focus cannot be seen."""
    stops: list[str] = page.evaluate(FOCUSABLE)
    page.evaluate("document.activeElement && document.activeElement.blur()")
    page.evaluate("window.scrollTo(0, 0)")
    reached: set[int] = set()
    faults: list[str] = []
    for _ in range(len(stops) + 40):  # a date field has several stops of its own
        page.keyboard.press("Tab")
        stop = page.evaluate("document.activeElement ? document.activeElement.dataset.stop : undefined")
        if stop is None:
            continue
        if int(stop) not in reached and page.evaluate(HIDDEN_FOCUS):
            faults.append(f"focus cannot be seen: {stops[int(stop)]}")
        reached.add(int(stop))
        if len(reached) == len(stops):
            break
    return faults + [f"not reached: {html}" for index, html in enumerate(stops) if index not in reached]


def check_page(page: Page, *, keyboard: bool = True) -> None:
    """Raises AssertionError with all faults: axe, sideways scroll at 320 px, small targets, one h1, keyboard."""
    faults = violations(page)
    size = page.viewport_size
    if keyboard:
        faults += unreachable(page)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    if wide := overflow(page):
        faults.append(f"{wide} px too wide at {PHONE['width']} px")
    faults += [f"target too small: {html}" for html in page.evaluate(SMALL, TARGET)]
    if size:
        page.set_viewport_size(size)
    if page.locator("h1").count() != 1:
        faults.append(f"{page.locator('h1').count()} h1 on the page")
    assert not faults, f"{page.url}\n" + "\n".join(faults)


def save(page: Page, name: str) -> None:
    """Saves a picture of the whole page into the folder that ANSIM_SCREENSHOTS names, if it does."""
    folder = os.environ.get("ANSIM_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
