"""Match keys of the linkage: what an institution sends to the key agency instead of identities.

A key is made from agreed items of one person (name and birth date and …, normalised), never from a single item and
never from the resident registration number: a checksum leaves only some 9.0e9 old-form numbers, which one machine
enumerates in minutes under any secret that it holds.

There are two ways to make it. The default is the oblivious function of `tokens.py`, where each guess needs the key
agency. `match_keys` here is the guideline's hash form, a labelled COMPATIBILITY mode: HMAC-SHA256 under a salt that the
applicants share. Its weakness is stated, not hidden: an applicant that colludes with the key agency can run a
dictionary of names, birth dates and phones over the keys, offline and unnoticed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansim.errors import N_, Problem
from ansim.privacy.deid.keys import TOKEN_DIGITS, derive, hmac_sha256
from ansim.privacy.linkage import normalise

OBLIVIOUS, COMPATIBILITY = "oprf/1", "salted-hash-compatibility/1"  # modes by name

ITEMS: dict[str, Callable[[object], str | None]] = {
    "name": normalise.name,
    "birth_date": normalise.date,
    "sex": normalise.sex,
    "phone": normalise.phone,
}


@dataclass(frozen=True)
class Kind:
    """One composite key: its name, its items and its rank (1 is the most specific, matched first)."""

    name: str
    items: tuple[str, ...]
    rank: int


KINDS = (
    Kind("name-birth-sex-phone", ("name", "birth_date", "sex", "phone"), 1),
    Kind("birth-sex-phone", ("birth_date", "sex", "phone"), 2),
    Kind("name-birth-phone", ("name", "birth_date", "phone"), 3),
    Kind("name-sex-phone", ("name", "sex", "phone"), 4),
    Kind("name-birth-sex", ("name", "birth_date", "sex"), 5),
)


def agreed(kinds: Iterable[Mapping]) -> tuple[Kind, ...]:
    """Key kinds that applicants agreed, from [{"name", "items"}] in order of rank; unknown items are refused."""
    found = []
    for rank, kind in enumerate(kinds, 1):
        unknown = [item for item in kind["items"] if item not in ITEMS]
        if unknown or len(kind["items"]) < 2:
            raise Problem(
                "key-item",
                N_("{items} cannot make a match key: allowed are at least two of {allowed}."),
                where=kind["name"],
                remedy=N_(
                    "Resident registration numbers and single items are never key items: they can be enumerated."
                ),
                items=", ".join(unknown or kind["items"]),
                allowed=", ".join(ITEMS),
            )
        found.append(Kind(kind["name"], tuple(kind["items"]), rank))
    return tuple(found)


def match_keys(salt: bytes, rows: Iterable[Mapping], kinds: tuple[Kind, ...] = KINDS) -> list[dict]:
    """The compatibility mode: [{"serial", "keys": {kind: token}}] of identity rows {"serial", "name", "birth_date",
    "sex", "phone", …}, HMAC-SHA256 under the shared project salt, 128 bits in hexadecimal.

    Nothing but the serial and the tokens comes out; a kind with a missing item is left out of `keys`. The rows' other
    columns (such as a resident number) are never read.
    """
    mac = hmac_sha256(derive(salt, "link-key"))
    rows = list(rows)
    made = ((number, kind, mac(message).hexdigest()[:TOKEN_DIGITS]) for number, kind, message in messages(rows, kinds))
    return by_person(rows, made)


def messages(rows: Iterable[Mapping], kinds: tuple[Kind, ...] = KINDS) -> Iterator[tuple[int, str, bytes]]:
    """(number of the row, kind, message) for each key that can be made; what a token is a function of."""
    for number, row in enumerate(rows):
        clean = {item: normal(row.get(item)) for item, normal in ITEMS.items()}
        for kind in kinds:
            values = [clean[item] for item in kind.items]
            if all(values):
                # The unit separator cannot occur in a normalised item, so no two tuples share one message.
                yield number, kind.name, "\x1f".join([kind.name, *map(str, values)]).encode()


def by_person(rows: list[Mapping], tokens: Iterable[tuple[int, str, str]]) -> list[dict]:
    """[{"serial", "keys": {kind: token}}], one for each row, from (number of the row, kind, token)."""
    found: list[dict] = [{"serial": row["serial"], "keys": {}} for row in rows]
    for number, kind, token in tokens:
        found[number]["keys"][kind] = token
    return found
