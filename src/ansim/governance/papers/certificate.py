"""The certificate of an organisation's signing key.

PDF signatures name their key by an X.509 certificate. Trust does not come from an authority: sites pin each
organisation's certificate, so it is signed by its own key. The private key stays where it is; only `sign` is called.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from asn1crypto import algos, keys, x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ansim.errors import N_, Problem

Sign = Callable[[bytes], bytes]  # Ed25519: 64 bytes; P-256: DER of ECDSA over SHA-256 of the message
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey


def certificate(
    name: str,
    public_key: PublicKey,
    sign: Sign,
    *,
    organisation: str,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """A self-signed certificate (DER) for signing documents, the same bytes for the same input and signature.

    name: the organisation's id, as common name. organisation: its name for people. Times are timezone-aware; seconds
    are kept. Raises Problem "certificate-key" for a key that is neither Ed25519 nor P-256.
    """
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    mechanism = algos.SignedDigestAlgorithm({"algorithm": mechanism_of(public_key)})
    subject = x509.Name.build({"common_name": name, "organization_name": organisation, "country_name": "KR"})
    body = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": int.from_bytes(hashlib.sha256(spki).digest()[:16], "big") >> 1,
            "signature": mechanism,
            "issuer": subject,
            "validity": {"not_before": _time(not_before), "not_after": _time(not_after)},
            "subject": subject,
            "subject_public_key_info": keys.PublicKeyInfo.load(spki),
            "extensions": [
                {"extn_id": "basic_constraints", "critical": True, "extn_value": {"ca": False}},
                {"extn_id": "key_usage", "critical": True, "extn_value": {"digital_signature", "non_repudiation"}},
                {"extn_id": "key_identifier", "extn_value": hashlib.sha256(spki).digest()[:20]},
            ],
        }
    )
    whole = {"tbs_certificate": body, "signature_algorithm": mechanism, "signature_value": sign(body.dump())}
    return x509.Certificate(whole).dump()


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of the DER bytes in groups of four digits, as people compare it."""
    return grouped(hashlib.sha256(certificate).hexdigest())


def grouped(digits: str) -> str:
    """Hexadecimal digits in groups of four."""
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def mechanism_of(public_key: PublicKey) -> str:
    """asn1crypto's name of the signature algorithm that goes with the key."""
    if isinstance(public_key, Ed25519PublicKey):
        return "ed25519"
    if isinstance(public_key, EllipticCurvePublicKey) and isinstance(public_key.curve, SECP256R1):
        return "sha256_ecdsa"
    raise Problem("certificate-key", N_("Documents are signed with Ed25519 or P-256 keys only."))


def _time(moment: datetime) -> x509.Time:
    moment = moment.astimezone(UTC).replace(microsecond=0)
    return x509.Time(name="utc_time" if moment.year < 2050 else "general_time", value=moment)
