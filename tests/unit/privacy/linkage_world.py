"""Two registers of generated Korean people who partly overlap, with typing noise; nobody here exists."""

import random

from ansim.privacy.deid import identifiers

FAMILY = "김이박최정강조윤장임한오서신권황안송전홍"
WEIGHTS = (21, 15, 8, 5, 5, 4, 4, 4, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1)
GIVEN = "민서준지우현수영진하윤도은예주원시연아재호성경미숙정희순자옥철상혜"
ITEMS = ("name", "birth_date", "phone", "sex")


def person(draw: random.Random) -> dict:
    sex = draw.choice("FM")
    birth = f"{draw.randint(1930, 2009)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
    century = (1 if sex == "M" else 2) + (2 if birth >= "2000" else 0)
    first12 = f"{birth[2:4]}{birth[5:7]}{birth[8:]}{century}{draw.randint(0, 99999):05}"
    return {
        "name": draw.choices(FAMILY, WEIGHTS)[0] + draw.choice(GIVEN) + draw.choice(GIVEN),
        "birth_date": birth,
        "sex": sex,
        "phone": f"010-{draw.randint(2000, 9999)}-{draw.randint(0, 9999):04}",
        "resident_number": f"{first12[:6]}-{first12[6:]}{identifiers.check_digit(first12)}",
    }


def noisy(row: dict, share: float, draw: random.Random) -> dict:
    """The same person as another desk wrote it: each item is mistyped or missing with the given chance."""
    other = dict(row)
    for item in ITEMS:
        if draw.random() < share:
            other[item] = _mistyped(item, row[item], draw)
    if draw.random() < 0.3:  # another way of writing, not an error
        other["phone"] = other["phone"].replace("-", " ") if other["phone"] else other["phone"]
        other["name"] = f"{other['name']} 님" if other["name"] else other["name"]
    return other


def _mistyped(item: str, value: str, draw: random.Random) -> str | None:
    if draw.random() < 0.25:
        return None
    if item == "name":
        return value[:-1] + draw.choice(GIVEN)
    if item == "sex":
        return "F" if value == "M" else "M"
    place = draw.randrange(4, len(value))
    digit = str((int(value[place]) + 1) % 10) if value[place].isdigit() else value[place]
    return value[:place] + digit + value[place + 1 :]


def registers(people: int, overlap: float, noise: float, seed: int = 7) -> tuple[list[dict], list[dict], set]:
    """(left rows, right rows, true pairs of their person ids)."""
    draw = random.Random(seed)
    everyone = [person(draw) for _ in range(people)]
    both = int(people * overlap)
    left = [{"person_id": i, **row} for i, row in enumerate(everyone[: (people + both) // 2])]
    start = (people - both) // 2
    right = [{"person_id": 10**6 + i, **noisy(everyone[i], noise, draw)} for i in range(start, people)]
    draw.shuffle(right)
    return left, right, {(i, 10**6 + i) for i in range(start, (people + both) // 2)}
