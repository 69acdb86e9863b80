"""Attack: recover resident registration numbers from what an outsider sees by hashing all of them (a dictionary)."""

import hashlib

from ansim.privacy.deid import identifiers, keys
from ansim.privacy.linkage import keys as linkage_keys


def candidates() -> list[str]:
    """A slice of all old-form numbers: two birth days, men, every twentieth of the serial digits."""
    firsts = [f"{day}1{serial:05}" for day in ("800101", "800102") for serial in range(0, 100_000, 20)]
    return [first + str(identifiers.check_digit(first)) for first in firsts]


def dictionary(function) -> dict[str, str]:
    return {function(number): number for number in candidates()}


def plain(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()[:32]


def test_plain_hashes_fall_and_keyed_pseudonyms_do_not():
    victims = candidates()[7::501]
    table = dictionary(plain)
    assert [table.get(plain(number)) for number in victims] == victims  # positive control: every one is recovered
    tokens = keys.pseudonyms(b"the project's secret of 32 bytes", victims)
    assert not set(tokens) & set(table)
    guessed = dict(zip(keys.pseudonyms(b"a secret guessed by the attacker", candidates()), candidates(), strict=True))
    assert not set(tokens) & set(guessed)


def row(name: str, birth: str, phone: str) -> dict:
    return {"serial": "1", "name": name, "birth_date": birth, "sex": "M", "phone": phone, "resident_number": "x"}


def test_the_compatibility_mode_falls_to_who_holds_the_salt_and_to_nobody_else():
    """The weakness that keys.py states, shown to hold: applicant and key agency together can run a dictionary."""
    salt, target = b"a salt that the applicants share", row("홍길동", "1980-01-01", "010-1234-5678")
    (sent,) = linkage_keys.match_keys(salt, [target])
    guesses = [row("홍길동", f"1980-01-{day:02}", "010-1234-5678") for day in range(1, 29)]
    colluding = {out["keys"]["name-birth-sex"] for out in linkage_keys.match_keys(salt, guesses)}
    assert sent["keys"]["name-birth-sex"] in colluding  # stated, and true
    outsider = {out["keys"]["name-birth-sex"] for out in linkage_keys.match_keys(b"?" * 32, guesses)}
    assert sent["keys"]["name-birth-sex"] not in outsider


def test_the_resident_number_is_in_no_key():
    salt = b"a salt that the applicants share"
    one, other = row("홍길동", "1980-01-01", "010-1234-5678"), row("홍길동", "1980-01-01", "010-1234-5678")
    other["resident_number"] = "800101-1234560"
    assert linkage_keys.match_keys(salt, [one]) == linkage_keys.match_keys(salt, [other])
