"""However many come at once, so many pages are worked on, so many connections are open; nobody is turned away."""

import asyncio

from ansim.sites.exchange.gate import Gate


class Pages:
    def __init__(self):
        self.now = self.most = self.done = 0

    async def __call__(self, scope, receive, send):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.now -= 1
        self.done += 1
        if scope["path"] == "/broken/":
            raise ZeroDivisionError


async def come(gate: Gate, paths: list[str]) -> list:
    scopes = [{"type": "http", "path": path} for path in paths]
    return await asyncio.gather(*(gate(scope, None, None) for scope in scopes), return_exceptions=True)


def test_two_hundred_at_once_are_answered_sixteen_at_a_time():
    pages = Pages()
    asyncio.run(come(Gate(pages), ["/"] * 200))
    assert (pages.done, pages.most) == (200, 16)
    unlimited = Pages()
    asyncio.run(come(Gate(unlimited, at_once=1000), ["/"] * 200))
    assert unlimited.most == 200  # which is what happens without the limit


def test_a_page_that_breaks_gives_its_place_back():
    pages = Pages()
    ends = asyncio.run(come(Gate(pages, at_once=2), ["/broken/"] * 10 + ["/"] * 10))
    assert sum(isinstance(end, ZeroDivisionError) for end in ends) == 10
    assert pages.done == 20
