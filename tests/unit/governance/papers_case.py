"""An agreement of four parties, their keys, and signed papers, for the tests of papers."""

import base64
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ansim.errors import Problem
from ansim.governance.papers.agreement import agreement
from ansim.governance.papers.certificate import certificate
from ansim.governance.papers.sign import Party, sign_pdf

AT = datetime(2026, 1, 5, 9, tzinfo=timezone(timedelta(hours=9)))
IDS = ("user-1", "hospital-a", "hospital-b", "claims")
NAMES = {40481087: {"ko": "바이러스 부비동염", "en": "Viral sinusitis"}, 1713671: "Amoxicillin"}


def jwk(number):
    return {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(bytes([number]) * 32).decode().rstrip("=")}


QUERY = {
    "ansim": "query/1",
    "title": {"ko": "바이러스 부비동염", "en": "Viral sinusitis"},
    "cohort": {
        "entry": {"event": "condition", "concepts": [40481087], "descendants": False, "which": "first"},
        "age": {"min": 18, "max": 89},
        "sex": ["F", "M"],
        "require": [
            {"event": "drug", "concepts": [1713671], "window": {"from_days": -365, "to_days": 0}, "at_least": 2}
        ],
        "exclude": [{"event": "condition", "concepts": [40481087], "window": {"from_days": -3650, "to_days": -1}}],
    },
    "variables": [
        {"name": "sex", "kind": "sex"},
        {"name": "age", "kind": "age"},
        {"name": "age_band", "kind": "age_band", "width": 10},
        {"name": "chronic_sinusitis", "kind": "flag", "event": "condition", "concepts": [257012],
         "window": {"from_days": 0, "to_days": None}},
        {"name": "visits", "kind": "count", "event": "visit", "concepts": []},
        {"name": "temperature", "kind": "value", "event": "measurement", "concepts": [3006322], "pick": "last"},
    ],
    "period": {"from": "1900-01-01", "to": "2019-12-31"},
}  # fmt: skip
TERMS = {
    "ansim": "agreement/1",
    "id": "AG-2026-0007",
    "version": 1,
    "supersedes": None,
    "title": {"ko": "부비동염 만성화 예측 연구", "en": "Predicting chronic sinusitis"},
    "user": {"id": "user-1", "name": "주식회사 다온메디"},
    "holders": [
        {"id": "hospital-a", "name": "가람대학교병원"},
        {"id": "hospital-b", "name": "나래의료원"},
        {"id": "claims", "name": "국민청구자료원"},
    ],
    "members": [
        {"id": "m1", "name": "김하늘", "role": "책임연구자", "key": jwk(1)},
        {"id": "m2", "name": "이바다", "role": "분석가", "key": jwk(2)},
    ],
    "purpose": "scientific research",
    "areas": ["sinusitis"],
    "query": QUERY,
    "modes": ["federated", "extract", "centre"],
    "place": {"centre": "centre-1", "remote": False},
    "linkage": {"key_agency": "keyagency", "linker": "linker-1", "holders": ["hospital-a", "claims"]},
    "max_persons": 5432,
    "not_before": "2026-02-01",
    "not_after": "2027-01-31",
    "output": {"threshold": 11, "rounding": 7, "checkers": 2},
    "reidentification": "forbidden",
    "destruction": {"within_days": 33},
    "publication": {"ko": "요약을 공개대장에 올립니다.", "en": "A summary goes to the public register."},
    "fees": None,
}


def key_of(number):
    """Ed25519 for all but the last party, which signs with P-256."""
    if number == 3:
        key = ec.derive_private_key(12345, ec.SECP256R1())
        return key.public_key(), lambda message: key.sign(message, ec.ECDSA(hashes.SHA256()))
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32)
    return key.public_key(), key.sign


def party(name, number, days=1000):
    public, sign = key_of(number)
    made = certificate(
        name, public, sign, organisation=name, not_before=AT - timedelta(days=1), not_after=AT + timedelta(days=days)
    )
    return Party(name, made, sign)


PARTIES = tuple(party(name, number) for number, name in enumerate(IDS))
CERTIFICATES = {one.id: one.certificate for one in PARTIES}


def signed_by(pdf, *parties, at=AT):
    for one in parties:
        pdf = sign_pdf(pdf, one, reason="연구 협약 체결", at=at)
    return pdf


@cache
def paper():
    return agreement(TERMS, names=NAMES, at=AT)


@cache
def signed(count=4):
    return signed_by(signed(count - 1), PARTIES[count - 1]) if count else paper()


@contextmanager
def refused(code):
    """A Problem with this code."""
    with pytest.raises(Problem) as found:
        yield found
    assert found.value.code == code
