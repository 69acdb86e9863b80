"""PAdES-B-B signatures of the parties on one paper, one after another.

Each signature is an incremental update that covers everything before it (ISO 32000-2, 12.8; ETSI EN 319 142-1). The
private key lives in another process and is only a callable. Signing times are the signers' own word; what binds the
order is that each signature covers the earlier ones.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

from asn1crypto import algos, x509
from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, BoxConstraints, Margins, SimpleBoxLayoutRule
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.general import SigningError
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore

from ansim.errors import N_, Problem
from ansim.governance.papers.certificate import Sign, fingerprint
from ansim.governance.papers.check import attached
from ansim.governance.papers.paper import Box, boxes, signatories, template, typeset


@dataclass(frozen=True)
class Party:
    """Who signs: the party's id (the signature field's name), its certificate (DER), and its key's `sign`."""

    id: str
    certificate: bytes
    sign: Sign


def sign_pdf(
    pdf: bytes,
    party: Party,
    *,
    reason: str,
    at: datetime,
    font_directory: Path | None = None,
) -> bytes:
    """The PDF with this party's signature added, its mark in its box on the signature sheet.

    Who may sign, and in which box, follows from the attached document. at: timezone-aware.
    Raises Problem: not-a-party, already-signed, pdf-unreadable.
    """
    if at.tzinfo is None:
        raise ValueError("a signing time has a timezone")
    try:
        parties = signatories(attached(pdf))
        if party.id not in parties:
            raise Problem("not-a-party", N_("{party} is not a party of this paper."), party=party.id)
        writer = IncrementalPdfFileWriter(BytesIO(pdf))
        if party.id in {found.field_name for found in writer.prev.embedded_signatures}:
            raise Problem("already-signed", N_("{party} has signed this paper already."), party=party.id)
        pages = int(writer.prev.root["/Pages"]["/Count"])
        box = next(box for box in boxes(parties, pages) if box.party == party.id)
        metadata = signers.PdfSignatureMetadata(
            field_name=party.id, reason=reason, name=party.id, subfilter=fields.SigSeedSubFilter.PADES
        )
        signer = _TimedPdfSigner(
            metadata,
            RemoteSigner(party.certificate, party.sign),
            stamp_style=_stamp(box, party.certificate, reason, at, font_directory),
            new_field_spec=fields.SigFieldSpec(
                sig_field_name=party.id, on_page=box.page, box=box.corners(), readable_field_name=party.id
            ),
        )
        signer.at = at
        return signer.sign_pdf(writer).getvalue()
    except (PdfError, SigningError, KeyError) as error:
        raise Problem("pdf-unreadable", N_("The paper cannot be signed: {detail}."), detail=str(error)) from error


class RemoteSigner(signers.Signer):
    """A pyHanko signer whose key is a callable."""

    def __init__(self, certificate: bytes, sign: Sign):
        found = x509.Certificate.load(certificate)
        name = "ed25519" if found.public_key.algorithm == "ed25519" else "sha256_ecdsa"
        super().__init__(
            signing_cert=found,
            cert_registry=SimpleCertificateStore(),
            signature_mechanism=algos.SignedDigestAlgorithm({"algorithm": name}),
        )
        self._sign = sign

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        return bytes(72) if dry_run else self._sign(data)  # 72: the longest DER signature of P-256


class _TimedPdfSigner(signers.PdfSigner):
    """pyHanko reads the clock here; the house passes the time."""

    at: datetime

    def init_signing_session(self, *args, **kwargs):
        session = super().init_signing_session(*args, **kwargs)
        session.system_time = self.at
        return session


class _Mark(PdfContent):
    """A typeset page as the content of a stamp."""

    def __init__(self, page: bytes):
        super().__init__()
        self.page = page

    def render(self) -> bytes:
        found = self._ensure_writer.import_page_as_xobject(PdfFileReader(BytesIO(self.page)))
        self.resources.xobject["/Mark"] = found
        left, bottom, right, top = (float(value) for value in found.get_object()["/BBox"])
        self.box = BoxConstraints(width=right - left, height=top - bottom)
        return b"/Mark Do"


def _stamp(box: Box, certificate: bytes, reason: str, at: datetime, font_directory: Path | None) -> StaticStampStyle:
    mark = {
        "width": box.right - box.left,
        "height": box.top - box.bottom,
        "reason": reason,
        "fingerprint": fingerprint(certificate),
        "at": at.isoformat(" ", "seconds"),
    }
    page = typeset(template("stamp.typ"), {"mark": json.dumps(mark, ensure_ascii=False)}, at, font_directory)
    exact = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MIN, AxisAlignment.ALIGN_MIN, margins=Margins(0, 0, 0, 0))
    return StaticStampStyle(background=_Mark(page), border_width=0, background_layout=exact)
