"""Attack: recover resident registration numbers from what an outsider sees by hashing all of them (a dictionary)."""

import hashlib

from ansim.privacy.deid import identifiers, keys
from ansim.privacy.linkage import keys as linkage_keys
from ansim.privacy.linkage import match, oprf, tokens


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


SALT, AGENCY, HOSPITAL = (
    b"a salt that the applicants share",
    b"the key agency's own secret 32 b",
    b"a hospital's own project secret.",
)
TARGET = row("홍길동", "1980-01-01", "010-1234-5678")
GUESSES = [row("홍길동", f"1980-01-{day:02}", "010-1234-5678") for day in range(1, 29)]


def sent(people: list[dict], agency: bytes = AGENCY, salt: bytes = SALT) -> list[dict]:
    """What the key agency gets from a hospital after the exchange."""
    elements = oprf.evaluate(tokens.agency_key(agency), tokens.blinded(HOSPITAL, people))
    return tokens.tokens(HOSPITAL, salt, people, elements)


def dictionary_of(people: list[dict], agency: bytes, salt: bytes) -> set[str]:
    """Every token that who holds these two secrets can make of guessed people."""
    return {token for out in sent(people, agency, salt) for token in out["keys"].values()}


def test_a_dictionary_needs_the_agency_and_the_salt_and_nothing_less():
    """An applicant holds the salt, the agency its key; each guesses the other's secret. Both together are the control,
    and the stated limit."""
    seen = set(sent([TARGET])[0]["keys"].values())
    assert seen & dictionary_of(GUESSES, AGENCY, SALT)  # positive control: the pair that colludes finds the person
    assert not seen & dictionary_of(GUESSES, b"an agency key that is guessed 32", SALT)
    assert not seen & dictionary_of(GUESSES, AGENCY, b"a salt that the agency guesses..")
    compatible = set(linkage_keys.match_keys(SALT, [TARGET])[0]["keys"].values())
    alone = {token for out in linkage_keys.match_keys(SALT, GUESSES) for token in out["keys"].values()}
    assert compatible & alone  # positive control: without the oblivious function the applicant needs nobody


def test_the_agency_learns_nothing_from_what_it_evaluates():
    """It evaluates guesses of its own and looks for equal elements; knowing the blinding scalars is the control."""
    known = oprf.elements(tokens.blinded(HOSPITAL, [TARGET]))
    guessed = oprf.elements(tokens.blinded(b"another blinding secret, guessed", GUESSES))
    assert not set(known) & set(guessed)
    assert set(known) & set(oprf.elements(tokens.blinded(HOSPITAL, GUESSES)))


def test_tokens_of_two_projects_never_join():
    people = [
        {**row("홍길동", f"1980-01-{day:02}", f"010-1234-56{day:02}"), "serial": f"{day:032x}"} for day in range(1, 20)
    ]
    one = sent(people)
    assert len(match.pairs(one, sent(people))["pairs"]) == len(
        people
    )  # positive control: one project joins with itself
    for agency, salt in ((AGENCY[::-1], SALT), (AGENCY, SALT[::-1])):
        assert match.pairs(one, sent(people, agency, salt))["pairs"] == []
