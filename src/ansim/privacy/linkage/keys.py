"""Match keys of the linkage: what an institution sends to the key agency instead of identities.

This is the guideline's hash form, offered as a labelled COMPATIBILITY mode: each applicant computes HMAC-SHA256 over
agreed items under a project salt that only the applicants share. Its weakness is stated, not hidden: whoever holds
the salt and the keys (an applicant colluding with the key agency) can run a dictionary of names, birth dates and
phones over them. An oblivious pseudo-random function with the key agency takes its place behind the same `Prf` shape;
then the agency's key is needed for each guess.

The resident registration number is never a key item: a checksum leaves only some 9.0e9 old-form numbers, which one
machine enumerates in minutes under any shared salt.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ansim.errors import N_, Problem
from ansim.privacy.deid.keys import TOKEN_DIGITS, derive, hmac_sha256
from ansim.privacy.linkage import normalise

MODE = "salted-hash-compatibility/1"
Prf = Callable[[bytes], str]

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


def salted(salt: bytes) -> Prf:
    """The compatibility mode's function: HMAC-SHA256 under the shared project salt, 128 bits in hexadecimal."""
    mac = hmac_sha256(derive(salt, "link-key"))
    return lambda message: mac(message).hexdigest()[:TOKEN_DIGITS]


def match_keys(
    salt: bytes, rows: Iterable[Mapping], kinds: tuple[Kind, ...] = KINDS, prf: Prf | None = None
) -> list[dict]:
    """[{"serial", "keys": {kind: token}}] of identity rows {"serial", "name", "birth_date", "sex", "phone", …}.

    Nothing but the serial and the tokens comes out; a kind with a missing item is left out of `keys`. The rows'
    other columns (such as a resident number) are never read. `prf` replaces the salted hash.
    """
    token = prf or salted(salt)
    return [{"serial": row["serial"], "keys": _keys(row, kinds, token)} for row in rows]


def _keys(row: Mapping, kinds: tuple[Kind, ...], token: Prf) -> dict[str, str]:
    clean = {item: normal(row.get(item)) for item, normal in ITEMS.items()}
    found = {}
    for kind in kinds:
        values = [clean[item] for item in kind.items]
        if all(values):
            # The unit separator cannot occur in a normalised item, so no two tuples share one message.
            found[kind.name] = token("\x1f".join([kind.name, *map(str, values)]).encode())
    return found
