"""Codes of authenticator apps (TOTP, RFC 6238: HMAC-SHA1, six digits, 30 s, what every app can do)."""

import hmac

import pyotp

SECONDS = 30
BESIDE = 1  # steps before and after the present one that are taken: clocks and fingers are slow (RFC 6238, 5.2)


def new() -> str:
    """160 random bits in base32, as long as the HMAC's output (RFC 4226, 4)."""
    return pyotp.random_base32()


def address(secret: str, name: str, issuer: str) -> str:
    """The otpauth address of the key URI format, which apps read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def step(secret: str, code: str, now: float, after: int) -> int:
    """The time step whose code this is, when later than `after`; 0 otherwise, so that no code counts twice.

    now: seconds since 1970 by the machine's clock.
    """
    present, found, codes = int(now) // SECONDS, 0, pyotp.TOTP(secret)
    for each in range(present - BESIDE, present + BESIDE + 1):  # all compared, in the same time
        right = hmac.compare_digest(codes.at(each * SECONDS).encode(), code.encode("utf-8", "replace"))
        found = each if right and each > after and not found else found
    return found
