"""The journey's own state: the nation it plays in, who is signed in where, and what stages leave to later ones."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from ansim.demo.journey import study
from ansim.demo.journey.client import PatientKeeper, Person
from ansim.demo.journey.promises import Played, Promise
from ansim.demo.journey.stored import unsealed
from ansim.demo.nation import PLACES, Nation
from ansim.demo.processes import Running
from ansim.governance.core import civil_day

KINDS = {place.id: place.kind for place in PLACES}


class Journey:
    """One journey through one nation."""

    def __init__(self, nation: Nation, running: Running, now: Callable[[str], None] = lambda text: None):
        self.nation, self.running, self.tell = nation, running, now
        self.facts: dict[str, Any] = {}  # ids and results that stages leave to later ones; plain JSON
        self.played: list[Played] = []
        self._people: dict[tuple[str, str], Person] = {}

    # who

    def person(self, name: str, site: str) -> Person:
        """The person signed in at a site (once)."""
        if (site, name) not in self._people:
            password = self.nation.sign_ins[site][name]
            self._people[(site, name)] = Person(self.nation.url(site), site, name, password)
        return self._people[(site, name)]

    def at(self, holder: str, role: str) -> Person:
        """A person of a holder by role: `at("hospital-b", "steward")`."""
        return self.person(f"{role}-{holder.removeprefix('hospital-')[0]}", holder)

    @property
    def researcher(self) -> Person:
        return self.person("researcher", study.DESK)

    @property
    def legal(self) -> Person:
        return self.person("legal", study.DESK)

    def forget(self, site: str) -> None:
        """Sign in anew at a site that was started again."""
        for key in [key for key in self._people if key[0] == site]:
            self._people.pop(key).close()

    def close(self) -> None:
        """End every session here."""
        for key in list(self._people):
            self._people.pop(key).close()

    # what

    def promise(self, text: str, held: object, detail: object = "") -> bool:
        """Note a promise of the stage that is being played."""
        self.played[-1].promises.append(Promise(text, bool(held), str(detail)))
        return bool(held)

    def figure(self, ko: str, en: str, svg: str) -> None:
        self.played[-1].figures.append((ko, en, svg))

    def kept(self, name: str) -> Path:
        """Where the journey itself, outside of every site, keeps something for a later stage."""
        folder = self.nation.folder / "journey"
        folder.mkdir(exist_ok=True)
        return folder / name

    def save(self) -> None:
        """So that a later run can go on from a stage."""
        (self.nation.folder / "journey.json").write_text(json.dumps(self.facts, ensure_ascii=False, indent=1))

    def load(self) -> None:
        file = self.nation.folder / "journey.json"
        if file.exists():
            self.facts = json.loads(file.read_text("utf-8"))

    # when

    def now(self) -> datetime:
        """The nation's time (the demo's clock may have been moved)."""
        clock = self.nation.site(study.HUB) / "clock"
        offset = float(clock.read_text()) if clock.exists() else 0.0
        return datetime.now(UTC) + timedelta(seconds=offset)

    def today(self):
        return civil_day(self.now())

    def move_clocks(self, days: float) -> None:
        """Move every site's demo clock; each file is replaced in one step."""
        for place in PLACES:
            folder = self.nation.site(place.id)
            (folder / ".clock").write_text(str(days * 86400))
            (folder / ".clock").replace(folder / "clock")

    def health(self, site: str) -> dict:
        return httpx.get(f"{self.nation.url(site)}/health/", timeout=30).json()

    def folder(self, site: str) -> Path:
        return self.nation.site(site)

    @contextmanager
    def unsealed(self, key: str) -> Iterator[Path]:
        """A workspace as the centre itself can read it, with the workspace's own key; gone afterwards."""
        centre = self.folder(study.CENTRE)
        secret = bytes.fromhex(PatientKeeper(centre).call("workspace_key", project=key))
        with tempfile.TemporaryDirectory() as folder:
            unsealed(centre / "workspaces" / key, secret, Path(folder))
            yield Path(folder)


@dataclass(frozen=True)
class Stage:
    """A stage of the journey. `play` acts, notes its promises, and gives the story in one line."""

    number: int
    ko: str
    en: str
    play: Callable[[Journey], str]

    def run(self, journey: Journey) -> Played:
        played = Played(self.number, self.ko, self.en)
        journey.played.append(played)
        started = time.monotonic()
        try:
            played.story = self.play(journey)
        except Exception as error:
            played.story, played.broken_off = f"{type(error).__name__}: {error}", True
            played.promises.append(Promise("the stage can be played to its end", False, played.story))
            if not _expected(error):
                import traceback

                played.promises.append(Promise("no surprise", False, traceback.format_exc()[-3000:]))
        finally:
            played.seconds = time.monotonic() - started
        journey.save()
        return played


def _expected(error: Exception) -> bool:
    from ansim.demo.journey.client import Refused
    from ansim.demo.journey.promises import Overdue

    return isinstance(error, Refused | Overdue)
