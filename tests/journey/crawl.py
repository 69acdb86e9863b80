"""Walks through a site's pages as one person does, and looks at each: axe, narrow phone, keyboard, pictures."""

import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
from helpers import DESK, check_page, save

FILES = r"\.(csv|pdf|svg|png|json|jsonld|ttl|yaml|toml|zip|tar|gz)$"
SKIP = re.compile(rf"/(sign-out|static|charts)/|{FILES}|/(paper|files|letters)/")


def shape(address: str) -> str:
    """A page's kind: the address with its ids blanked, so that one page of each kind is looked at."""
    return re.sub(r"/[^/]*[\d_][^/]*(?=/|$)", "/*", urlsplit(address).path)


def sign_in(page, base: str, username: str, password: str) -> None:
    page.goto(f"{base}/sign-in/")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", password)
    page.click("main button")
    page.wait_for_load_state()


def walk(
    browser: Browser, base: str, person: tuple[str, str] | None, language: str, *, most: int = 25, label: str = ""
) -> list[str]:
    """Look at one page of each kind that this person's links lead to; gives the faults found, each with its address."""
    context = browser.new_context(viewport=DESK, locale="ko-KR" if language == "ko" else "en-GB")
    page = context.new_page()
    faults: list[str] = []
    if person:
        sign_in(page, base, *person)
    page.goto(f"{base}/")
    if page.locator("html").get_attribute("lang") != language:
        page.click(f"button[name=language][value={language}]")
    waiting, seen = [f"{base}/"], set()
    while waiting and len(seen) < most:
        address = waiting.pop(0)
        if shape(address) in seen or SKIP.search(urlsplit(address).path):
            continue
        seen.add(shape(address))
        response = page.goto(address)
        if response is None or response.status >= 400:
            faults.append(f"{address}: answered {response.status if response else 'nothing'}")
            continue
        if "html" not in response.headers.get("content-type", ""):
            continue
        name = f"{label}{shape(address).strip('/').replace('/', '-').replace('*', 'x') or 'home'}-{language}"
        save(page, name)
        try:
            check_page(page, keyboard=False)
        except AssertionError as fault:
            faults.append(str(fault))
        links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
        waiting += [link for link in links if link.startswith(base) and "#" not in link]
    context.close()
    return faults
