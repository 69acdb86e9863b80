"""Codes of authenticator apps: the test vectors of RFC 6238, the window, and that no code counts twice."""

import base64

import pytest

from ansim.sites.keeper import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()  # RFC 6238, appendix B
VECTORS = [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]  # last six digits


@pytest.mark.parametrize(("now", "code"), VECTORS)
def test_vectors_of_the_standard(now: int, code: str) -> None:
    assert totp.step(SECRET, code, now, 0) == now // 30


@pytest.mark.parametrize("late", [-60, -30, 0, 30, 60])
def test_one_step_beside_is_taken_and_no_more(late: int) -> None:
    now, code = VECTORS[1]
    assert bool(totp.step(SECRET, code, now + late, 0)) == (abs(late) <= 30)


def test_a_code_counts_once_and_an_older_one_never_after_a_newer() -> None:
    now, code = VECTORS[2]
    used = totp.step(SECRET, code, now, 0)
    assert totp.step(SECRET, code, now, used) == 0
    assert totp.step(SECRET, code, now, used - 1) == used


@pytest.mark.parametrize("code", ["", "28708", "287082 ", "２８７０８２", "\ud800", "x" * 10_000])
def test_what_is_no_code_is_wrong(code: str) -> None:
    assert totp.step(SECRET, code, 59, 0) == 0


def test_secrets_are_as_long_as_the_standard_recommends() -> None:
    assert len(base64.b32decode(totp.new())) == 20
    assert totp.new() != totp.new()


def test_the_address_says_whose_it_is() -> None:
    address = totp.address(SECRET, "kim", "Ansim hospital-a")
    assert address.startswith(f"otpauth://totp/Ansim%20hospital-a:kim?secret={SECRET}&issuer=Ansim%20hospital-a")
