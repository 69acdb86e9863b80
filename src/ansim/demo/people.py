"""Synthetic Korean people for the demo: names, phones and resident registration numbers. Nobody of this exists.

Resident registration number, old form: YYMMDD-SRRRROC, where S is century and sex, RRRR the region, O the order of the
day and C the check digit (11 - sum(digit * weight) mod 11) mod 10 with weights 2 3 4 5 6 7 8 9 2 3 4 5. Numbers given
since October 2020 carry no check digit (enforcement rule of the Resident Registration Act); the demo uses the old form.
"""

import numpy as np
import pyarrow as pa

WEIGHTS = np.array([2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5])
# Family names with their rough share of the population (per cent).
FAMILY = {
    "김": 21.5, "이": 14.7, "박": 8.4, "최": 4.7, "정": 4.3, "강": 2.4, "조": 2.1, "윤": 2.1, "장": 2.0, "임": 1.7,
    "한": 1.5, "오": 1.5, "서": 1.5, "신": 1.5, "권": 1.4, "황": 1.4, "안": 1.4, "송": 1.4, "전": 1.1, "홍": 1.1,
    "유": 1.0, "고": 0.9, "문": 0.9, "양": 0.9, "손": 0.9, "배": 0.8, "백": 0.8, "허": 0.7, "남": 0.6, "심": 0.5,
}  # fmt: skip
FIRST = list("민서지현수영정은도하유태성준재승예나소다경미혜동상진규원창인")
SECOND = {"M": list("준우호현진민수훈석철식환기혁찬욱태섭규용"), "F": list("연아은희윤경숙자정미영주선지혜진원나린서")}
# Syllables that are taken for each other when a name is heard or typed.
CONFUSED = dict(zip("현혜은윤정경진민수서지영재", "헌해언운전겸신빈소석치연제", strict=True))


def check_digit(numbers: np.ndarray) -> np.ndarray:
    """The thirteenth digit for rows of twelve digits: shape (n, 12) to (n,)."""
    return (11 - (numbers * WEIGHTS).sum(axis=1) % 11) % 10


def valid_resident_number(text: str) -> bool:
    """Whether the text is thirteen digits (a hyphen after six is fine) with the right check digit."""
    digits = text.replace("-", "", 1)
    if len(digits) != 13 or not digits.isascii() or not digits.isdigit():
        return False
    row = np.array([[int(digit) for digit in digits]])
    return bool(check_digit(row[:, :12])[0] == row[0, 12])


def make_people(births: pa.Table, *, seed: int) -> pa.Table:
    """Give every person a name, a phone and a resident number.

    births: columns true_person (text, unique), year, month, day (integers), sex ("M" or "F"), in an order that the
    caller fixes, because the result depends on it and on the seed alone. Returns columns true_person, name, birth_date
    (ISO text), sex, phone, resident_number.
    """
    rng = np.random.default_rng(seed)
    year, month, day = (births[name].to_numpy().astype(int) for name in ("year", "month", "day"))
    sex = np.array(births["sex"].to_pylist())
    digits = _numbers(year, month, day, sex, rng)
    text = digits.astype("U1")
    numbers = _join(text[:, :6], np.full((len(year), 1), "-"), text[:, 6:])
    dates = [f"{y:04d}-{m:02d}-{d:02d}" for y, m, d in zip(year, month, day, strict=True)]
    return pa.table(
        {
            "true_person": births["true_person"],
            "name": make_names(sex, rng),
            "birth_date": dates,
            "sex": sex,
            "phone": make_phones(len(year), rng),
            "resident_number": numbers,
        }
    )


def make_names(sex: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Family name and two syllables each, by the shares above; shape (n,) of text."""
    share = np.array(list(FAMILY.values()))
    family = rng.choice(list(FAMILY), size=len(sex), p=share / share.sum())
    second = np.where(sex == "M", rng.choice(SECOND["M"], len(sex)), rng.choice(SECOND["F"], len(sex)))
    return _join(*(part.reshape(-1, 1) for part in (family, rng.choice(FIRST, len(sex)), second)))


def make_phones(count: int, rng: np.random.Generator) -> np.ndarray:
    """Mobile numbers 010-XXXX-XXXX, shape (count,) of text."""
    digits = rng.integers(0, 10, (count, 8)).astype("U1")
    dash = np.full((count, 1), "-")
    return _join(np.full((count, 1), "010-"), digits[:, :4], dash, digits[:, 4:])


def with_noise(people: pa.Table, *, rate: float, seed: int) -> pa.Table:
    """A register's own errors: of `rate` of the people the name is mistyped, of as many others the phone is another."""
    rng = np.random.default_rng(seed)
    names, phones = (np.array(people[column].to_pylist(), dtype="U13") for column in ("name", "phone"))
    mistyped = rng.random(len(names)) < rate
    names[mistyped] = [mistype(name) for name in names[mistyped]]
    moved = rng.random(len(phones)) < rate
    phones[moved] = make_phones(int(moved.sum()), rng)
    noisy = people.set_column(people.schema.get_field_index("name"), "name", pa.array(names))
    return noisy.set_column(noisy.schema.get_field_index("phone"), "phone", pa.array(phones))


def mistype(name: str) -> str:
    """The name with one syllable taken for another, or its given syllables swapped; never the name itself."""
    for place in range(len(name) - 1, 0, -1):
        if name[place] in CONFUSED:
            return name[:place] + CONFUSED[name[place]] + name[place + 1 :]
    swapped = name[0] + name[:0:-1]
    return swapped if swapped != name else name + name[-1]


def _numbers(
    year: np.ndarray, month: np.ndarray, day: np.ndarray, sex: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Thirteen digits a person, no two persons the same: shape (n, 13)."""
    century = np.select([year < 1900, year < 2000], [9, 1], 3)
    marker = np.where(sex == "M", century, (century + 1) % 10)
    serial = rng.integers(0, 86_400, len(year))  # region 0000-9599 and order 1-9
    birth = (year * 10_000 + month * 100 + day) * 10 + marker
    while True:
        _, first = np.unique(birth * 100_000 + serial, return_index=True)
        repeated = np.setdiff1d(np.arange(len(year)), first)
        if not len(repeated):
            break
        serial[repeated] = rng.integers(0, 86_400, len(repeated))
    parts = [(year % 100, 2), (month, 2), (day, 2), (marker, 1), (serial // 9, 4), (serial % 9 + 1, 1)]
    digits = np.column_stack([value // 10**place % 10 for value, width in parts for place in range(width - 1, -1, -1)])
    return np.column_stack([digits, check_digit(digits)])


def _join(*parts: np.ndarray) -> np.ndarray:
    """Concatenate columns of text row by row: (n, k) arrays to (n,)."""
    columns = [part[:, index] for part in parts for index in range(part.shape[1])]
    joined = columns[0]
    for column in columns[1:]:
        joined = np.char.add(joined, column)
    return joined
