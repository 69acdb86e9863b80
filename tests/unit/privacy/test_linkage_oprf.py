"""The oblivious function against the published vectors, and the linkage made with it."""

import secrets
import sys
from pathlib import Path

import pytest

from ansim.errors import Problem
from ansim.privacy.linkage import keys, match, oprf, tokens
from ansim.privacy.linkage.keys import KINDS

sys.path.insert(0, str(Path(__file__).parent))
import linkage_world as world

SEED = b"\xa3" * 32
AGENCY, SALT, ONE, OTHER = b"a" * 32, b"s" * 32, b"1" * 32, b"2" * 32
ROW = {"name": "홍길동", "birth_date": "1980-01-01", "sex": "M", "phone": "010-1234-5678"}


def rows(people):
    return [{**row, "serial": f"{row['person_id']:032x}"} for row in people]


def exchanged(secret, people, agency=AGENCY, salt=SALT):
    """Both sides of the protocol."""
    evaluated = oprf.evaluate(tokens.agency_key(agency), tokens.blinded(secret, people))
    return tokens.tokens(secret, salt, people, evaluated)


def test_the_vectors_of_rfc_9497():
    """Appendix A.1.1, suite ristretto255-SHA512, mode OPRF, test vector 1."""
    key = oprf.derive_key(SEED, b"test key")
    assert key.hex() == "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e"
    scalar = bytes.fromhex("64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706")
    blinded = oprf.blind([b"\0"], [scalar])
    assert blinded.hex() == "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c"
    evaluated = oprf.evaluate(key, blinded)
    assert evaluated.hex() == "7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e"
    (output,) = oprf.finalise([b"\0"], [scalar], evaluated)
    assert output.hex() == (
        "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3"
        "ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6"
    )
    assert oprf.direct(key)(b"\0") == output


def test_two_institutions_get_the_same_token_for_one_person_and_only_then():
    one, other = exchanged(ONE, rows([{**ROW, "person_id": 1}])), exchanged(OTHER, rows([{**ROW, "person_id": 2}]))
    assert one[0]["keys"] == other[0]["keys"]
    assert one[0]["keys"].keys() == {kind.name for kind in KINDS}
    stranger = exchanged(OTHER, rows([{**ROW, "person_id": 2, "name": "홍길순"}]))
    shared = set(one[0]["keys"].values()) & set(stranger[0]["keys"].values())
    assert shared == {one[0]["keys"]["birth-sex-phone"]}


def test_it_joins_exactly_as_the_compatibility_mode_does():
    left, right, truth = world.registers(300, 0.5, 0.05)
    by_tokens = match.pairs(exchanged(ONE, rows(left)), exchanged(OTHER, rows(right)))
    by_hashes = match.pairs(keys.match_keys(SALT, rows(left)), keys.match_keys(SALT, rows(right)))
    assert by_tokens == by_hashes
    assert len(by_tokens["pairs"]) >= 0.9 * len(truth)


def test_a_repeated_request_is_the_same_and_says_nothing_of_equal_people():
    people = rows([{**ROW, "person_id": number} for number in range(2)])
    assert tokens.blinded(ONE, people) == tokens.blinded(ONE, people)
    batch = oprf.elements(tokens.blinded(ONE, people))
    assert len(set(batch)) == len(batch) == 2 * len(KINDS)


@pytest.mark.parametrize(
    "batch",
    [b"x" * 31, bytes(32), b"\xff" * 32, secrets.token_bytes(8) * 4 + b"1"],
    ids=["short", "identity", "no point", "long"],
)
def test_what_is_no_element_is_refused(batch):
    with pytest.raises(Problem, match="no element"):
        oprf.evaluate(tokens.agency_key(AGENCY), batch)


def test_an_answer_that_does_not_fit_the_people_is_refused():
    people = rows([{**ROW, "person_id": 1}])
    evaluated = oprf.evaluate(tokens.agency_key(AGENCY), tokens.blinded(ONE, people))
    with pytest.raises(Problem, match="ask again"):
        tokens.tokens(ONE, SALT, rows([{**ROW, "person_id": 1, "phone": None}]), evaluated)
