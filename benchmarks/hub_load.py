"""A hub on PostgreSQL with several web processes under load: long polls of nodes, and signed-in people reading pages.

`python benchmarks/hub_load.py [--processes 4] [--polls 40] [--people 200] [--seconds 30]`. Durable writes on. The polls
come from the demo nation's nodes, each with several at once (its own signed tickets); each person has a session of
their own and reads real pages, one after another, with a pause for thought between. Writes hub_load.json:
percentiles by the clock (worth nothing on a machine that does something else), errors, and the processor seconds that
the hub used a page view, polls included.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from ansim.demo.nation import PLACES, Nation
from ansim.demo.processes import Running
from ansim.documents import canonical
from ansim.sites.exchange import signed
from ansim.sites.keeper.keystore import Keystore
from engines import postgres_server

PAGES = ("/", "/catalogue/", "/feasibility/", "/requests/", "/register/", "/ledger/")
RESULT = Path(__file__).parent / "results" / "hub_load.json"


def sessions(folder: Path, passphrase: Path, count: int) -> list[str]:
    """Session cookies of so many people, made beside the hub: signing in is not what is measured."""
    program = (
        "from ansim.sites import asgi, people\n"
        "from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY\n"
        "from django.contrib.auth.models import Group, User\n"
        "from django.contrib.sessions.backends.db import SessionStore\n"
        "group = Group.objects.get_or_create(name='researcher')[0]\n"
        f"for n in range({count}):\n"
        "    user = User.objects.create(username=f'person{n}', password='!')\n"
        "    user.groups.add(group)\n"
        "    store = SessionStore()\n"
        "    store[SESSION_KEY] = str(user.pk)\n"
        "    store[BACKEND_SESSION_KEY] = 'django.contrib.auth.backends.ModelBackend'\n"
        "    store[HASH_SESSION_KEY] = user.get_session_auth_hash()\n"
        "    store.save()\n"
        "    print(store.session_key)\n"
    )
    environment = {**os.environ, "ANSIM_SITE": str(folder), "ANSIM_PASSPHRASE_FILE": str(passphrase)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def ticket(nation: Nation, site: str) -> str:
    store = Keystore(nation.site(site) / "keys", nation.passphrase_file(site).read_bytes())
    now = datetime.now(UTC)
    claims = {"iss": site, "aud": "hub", "iat": now.isoformat(), "exp": (now + timedelta(hours=1)).isoformat()}
    head = {"kid": store.keys["site"]["kid"], "typ": "ansim-1/poll"}
    return signed.compact(head, canonical(claims), store.signing_key("site").sign)


def processor_seconds(parent: int) -> float:
    """Of the hub's processes: user and system time, those of its children included."""
    total, todo = 0.0, [parent]
    while todo:
        pid = todo.pop()
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            todo += [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


class Counted:
    def __init__(self) -> None:
        self.pages: list[float] = []
        self.polls = 0
        self.errors: Counter[str] = Counter()


async def poll(client: httpx.AsyncClient, token: str, end: float, counted: Counted) -> None:
    while time.monotonic() < end:
        left = max(1.0, end - time.monotonic())
        about = {"wait": min(20.0, left)}
        answer = await client.get("/exchange/poll", params=about, headers={"Authorization": f"Bearer {token}"})
        counted.polls += 1
        if answer.status_code != 200:
            counted.errors[f"poll {answer.status_code} {answer.text[:60]}"] += 1


async def read(client: httpx.AsyncClient, cookie: str, end: float, counted: Counted, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0, 10))
    while time.monotonic() < end:
        began = time.perf_counter()
        path = chance.choice(PAGES)
        answer = await client.get(path, headers={"Cookie": f"ansim_hub={cookie}"})
        counted.pages.append(time.perf_counter() - began)
        if answer.status_code != 200:
            counted.errors[f"{path} {answer.status_code}"] += 1
        await asyncio.sleep(chance.uniform(5, 15))


async def load(url: str, tokens: list[str], cookies: list[str], seconds: float) -> Counted:
    counted, end, chance = Counted(), time.monotonic() + seconds, random.Random(20261201)  # noqa: S311
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        work = [poll(client, token, end, counted) for token in tokens]
        for cookie in cookies:
            work.append(read(client, cookie, end, counted, random.Random(chance.random())))  # noqa: S311
        await asyncio.gather(*work)
    return counted


def main() -> None:
    given = argparse.ArgumentParser()
    for name, usual in (("processes", 4), ("polls", 40), ("people", 200), ("seconds", 30)):
        given.add_argument(f"--{name}", type=int, default=usual)
    given.add_argument("--port", type=int, default=8790)
    asked = given.parse_args()
    with postgres_server(durable=True) as dsn, tempfile.TemporaryDirectory() as place:
        socket = dict(part.split("=") for part in dsn.split())["host"]
        nation = Nation(Path(place) / "nation", port=asked.port)
        nation.found()
        file = nation.site("hub") / "site.toml"
        url = f"postgresql://ansim@{quote(socket, safe='')}/postgres"
        settings = f'\ndatabase = "{url}"\nprocesses = {asked.processes}\nid = '
        file.write_text(file.read_text("utf-8").replace("\nid = ", settings, 1), "utf-8")
        running = Running(nation)
        try:
            running.start(only=["hub"])
            cookies = sessions(nation.site("hub"), nation.passphrase_file("hub"), asked.people)
            nodes = [each.id for each in PLACES if each.id != "hub"]
            tokens = [ticket(nation, nodes[number % len(nodes)]) for number in range(asked.polls)]
            before = processor_seconds(running.processes["hub"].pid)
            found = asyncio.run(load(nation.url("hub"), tokens, cookies, asked.seconds))
            used = processor_seconds(running.processes["hub"].pid) - before
        finally:
            running.stop()
            log = (nation.folder / "logs" / "hub.log").read_text("utf-8").splitlines()
            print(*log[-5:], sep="\n")
    pages = sorted(found.pages)
    told = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        **{name: getattr(asked, name) for name in ("processes", "polls", "people", "seconds")},
        "page views": len(pages),
        "polls answered": found.polls,
        "errors": dict(found.errors),
        "p50 ms": round(1000 * pages[len(pages) // 2], 1),
        "p95 ms": round(1000 * pages[int(len(pages) * 0.95)], 1),
        "processor ms a page view": round(1000 * used / max(1, len(pages)), 1),
        "load average": os.getloadavg()[0],
    }
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
