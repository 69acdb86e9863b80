"""Areas of research: a small tree. An agreement names areas; a request must fall at or under one of them.

The tree is data (areas.toml). DUO hints name the term of the GA4GH Data Use Ontology (github.com/EBISPOT/DUO) that a
condition on the area would carry; they are hints for exports and play no part in `covers`.
"""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

from ansim.errors import N_, Problem


@cache
def tree() -> dict[str, dict]:
    """Area id -> {ko, en, under?, duo?}, checked: known parents, no cycle, both labels."""
    text = resources.files("ansim.governance").joinpath("areas.toml").read_text(encoding="utf-8")
    return check(tomllib.loads(text)["areas"])


def check(areas: dict[str, dict]) -> dict[str, dict]:
    for name, area in areas.items():
        seen: set[str] = set()
        here: str | None = name
        while here is not None:
            if here in seen or here not in areas:
                raise Problem("area-tree", N_("The area {area} has no way to the root."), area=name)
            seen.add(here)
            here = areas[here].get("under")
        if not (area.get("ko") and area.get("en")):
            raise Problem("area-label", N_("The area {area} needs a Korean and an English label."), area=name)
    return areas


def lineage(area: str) -> list[str]:
    """The area and all above it, nearest first; raises Problem for an unknown area."""
    areas, found = tree(), []
    if area not in areas:
        raise Problem(
            "unknown-area",
            N_("{area} is no known area of research."),
            where="area",
            remedy=N_("Choose one from the list of areas."),
            area=area,
        )
    here: str | None = area
    while here is not None:
        found.append(here)
        here = areas[here].get("under")
    return found


def covers(agreed: Iterable[str], requested: str) -> bool:
    """Whether the requested area is one of the agreed areas or lies under one. Unknown areas are never covered."""
    return requested in tree() and not set(lineage(requested)).isdisjoint(agreed)


def label(area: str) -> dict:
    """{ko, en} of an area."""
    return {language: tree()[lineage(area)[0]][language] for language in ("ko", "en")}
