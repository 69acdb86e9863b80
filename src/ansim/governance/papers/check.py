"""Is this signed paper what its parties agreed to? Every node asks for itself.

Trust comes only from the certificates that the caller pins; nothing is fetched and no system trust list is read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from asn1crypto import cms, x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.general import SigningError
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from ansim.documents import canonical
from ansim.errors import N_, Problem
from ansim.governance.papers.certificate import fingerprint
from ansim.governance.papers.paper import TERMS, Box, boxes, signatories

SKEW = timedelta(minutes=5)  # how far a signer's clock may run ahead


@dataclass(frozen=True)
class Signed:
    """A party whose signature holds, and the time it gave (its own word)."""

    party: str
    at: datetime


def verify_pdf(
    pdf: bytes,
    certificates: Mapping[str, bytes],
    terms: dict,
    *,
    now: datetime,
    original: bytes | None = None,
) -> list[Signed]:
    """The parties that validly signed this paper over these terms, in order of signing.

    certificates: the pinned certificate (DER) of each party. terms: the document that must be attached, as its only
    file. original: the paper as this node renders it from the terms; if given, the signed pages must be those bytes, so
    that nobody signs pages that say other things than the terms. Every signature must hold: one bad one refuses all.

    Raises Problem: pdf-unreadable, pages-differ, attachment, terms-differ, unknown-signer, wrong-key, signature-broken,
    changed-after-signing, signature-time, not-a-party.
    """
    try:
        reader = PdfFileReader(BytesIO(pdf), strict=True)
        signatures = list(reader.embedded_signatures)
        if original is not None:
            _same_pages(pdf, original)
        _same_terms(reader, terms)
        _only_signatures_in_their_boxes(reader, signatories(terms))
        if reader.xrefs.total_revisions != 1 + len(signatures):
            raise _changed("?", "an update of the file that nobody signed")
        return [
            _check(signature, certificates, now, last=number == len(signatures))
            for number, signature in enumerate(signatures, 1)
        ]
    except (PdfError, SigningError, SignatureValidationError, ValueError, KeyError, TypeError, IndexError) as error:
        text = N_("The paper cannot be read as a signed document: {detail}.")
        raise Problem("pdf-unreadable", text, detail=str(error) or type(error).__name__) from error


def attached(pdf: bytes) -> dict:
    """The machine terms that a paper carries, nothing verified: to show, or to look up what is expected."""
    try:
        value = json.loads(_attachment(PdfFileReader(BytesIO(pdf), strict=True)))
    except (PdfError, ValueError, KeyError, TypeError) as error:
        raise Problem(
            "pdf-unreadable", N_("The paper carries no readable terms: {detail}."), detail=str(error)
        ) from error
    return value


def _check(signature: EmbeddedPdfSignature, certificates: Mapping[str, bytes], now: datetime, last: bool) -> Signed:
    party = signature.field_name
    pinned = certificates.get(party)
    if pinned is None:
        raise Problem("unknown-signer", N_("{party} signed, but is not a party that is known here."), party=party)
    if signature.signer_cert.dump() != pinned:
        raise Problem(
            "wrong-key",
            N_("The signature of {party} was made with another key than the one pinned for it."),
            where=party,
            party=party,
            found=fingerprint(signature.signer_cert.dump()),
            expected=fingerprint(pinned),
        )
    _no_spare_bytes(party, signature)
    at = _signing_time(party, signature.self_reported_timestamp, pinned, now)
    status = validate_pdf_signature(
        signature,
        signer_validation_context=ValidationContext(
            trust_roots=[x509.Certificate.load(pinned)], allow_fetching=False, moment=at, best_signature_time=at
        ),
        key_usage_settings=KeyUsageConstraints(key_usage={"non_repudiation"}),
    )
    if not status.intact:
        raise _broken(party, "the signed bytes are not those that were signed")
    if not (status.valid and status.trusted):
        raise _broken(party, "the signature does not fit the pinned key")
    wanted = SignatureCoverageLevel.ENTIRE_FILE if last else SignatureCoverageLevel.ENTIRE_REVISION
    if status.coverage is None or status.coverage < wanted:
        raise _changed(party, "bytes that no signature covers")
    if status.modification_level is None or status.modification_level > ModificationLevel.FORM_FILLING:
        raise _changed(party, "a change of content")
    return Signed(party, at)


def _no_spare_bytes(party: str, signature: EmbeddedPdfSignature) -> None:
    """The gap that no signature covers holds the signature and zeros, in one spelling: no room for anything else."""
    contents = signature.pkcs7_content
    start, end = signature.byte_range[1], signature.byte_range[2]
    stream = signature.reader.stream
    stream.seek(start)
    gap = stream.read(end - start)
    used = len(cms.ContentInfo.load(contents).dump())
    if any(contents[used:]) or gap not in (
        b"<%s>" % contents.hex().encode(),
        b"<%s>" % contents.hex().upper().encode(),
    ):
        raise _broken(party, "its place in the file holds other bytes")


def _signing_time(party: str, at: datetime | None, pinned: bytes, now: datetime) -> datetime:
    validity = x509.Certificate.load(pinned)["tbs_certificate"]["validity"]
    if at is None or at > now + SKEW or not validity["not_before"].native <= at <= validity["not_after"].native:
        text = N_(
            "The signature of {party} gives the time {at}, when its certificate was not valid or which is to come."
        )
        raise Problem("signature-time", text, where=party, party=party, at=str(at))
    return at


def _same_pages(pdf: bytes, original: bytes) -> None:
    if pdf.startswith(original):
        return
    pairs = enumerate(zip(pdf, original, strict=False))
    place = next((index for index, (one, other) in pairs if one != other), min(len(pdf), len(original)))
    text = N_("The pages are not those that the terms give: the first difference is at byte {place}.")
    raise Problem("pages-differ", text, place=place)


def _same_terms(reader: PdfFileReader, terms: dict) -> None:
    found, expected = _attachment(reader), canonical(terms)
    if found == expected:
        return
    try:
        document = json.loads(found)
        names = sorted(name for name in {*document, *terms} if document.get(name) != terms.get(name))
    except (ValueError, TypeError, AttributeError):
        names = []
    raise Problem(
        "terms-differ",
        N_("The attached terms are not the expected ones; they differ in: {names}."),
        where=TERMS,
        names=", ".join(names) or "their form",
    )


def _attachment(reader: PdfFileReader) -> bytes:
    """The bytes of the only attached file; Problem "attachment" for none, several, or another name."""
    root = reader.root
    found = dict(_names(_get(_get(root, "/Names"), "/EmbeddedFiles")))
    files = [file.get_object() for file in root.get("/AF", [])]
    associated = [_get(file, "/UF") for file in files]
    if list(found) != [TERMS] or associated != [TERMS]:
        text = N_("The paper must carry {expected} and nothing else, but carries: {found}.")
        raise Problem(
            "attachment", text, expected=TERMS, found=", ".join([*map(str, found), *map(str, associated)]) or "-"
        )
    both = {bytes(file["/EF"][name].data) for file in (found[TERMS], *files) for name in file["/EF"]}
    if len(both) != 1:
        raise Problem("attachment", N_("The paper carries two different files under one name."), where=TERMS)
    return both.pop()


def _names(node: Any) -> list[tuple[str, Any]]:
    """All (name, file) pairs of a name tree (ISO 32000-2, 7.9.6)."""
    if node is None:
        return []
    flat = list(_get(node, "/Names") or [])
    pairs = [(str(name), file.get_object()) for name, file in zip(flat[::2], flat[1::2], strict=True)]
    return pairs + [pair for kid in _get(node, "/Kids") or [] for pair in _names(kid.get_object())]


def _get(node: Any, name: str) -> Any:
    return node.get(name) if isinstance(node, generic.DictionaryObject) else None


def _only_signatures_in_their_boxes(reader: PdfFileReader, parties: list[str]) -> None:
    """No annotation but the parties' signatures, each in its own box: a note, a link, or a mark laid over the text
    could show people what nobody agreed to (a "shadow attack")."""
    count = int(reader.root["/Pages"]["/Count"])
    places = {box.party: box for box in boxes(parties, count)}
    for number in range(count):
        page = reader.find_page_for_modification(number)[0].get_object()
        for item in page.get("/Annots", []):
            annotation = item.get_object()
            if _get(annotation, "/FT") != "/Sig":
                raise _changed("?", f"an annotation on page {number + 1}")
            name = str(annotation.get("/T"))
            if name not in places:
                raise Problem("not-a-party", N_("{party} is not a party of this paper."), where=name, party=name)
            _in_its_box(annotation, number, places[name])
    for signature in reader.embedded_signatures:
        if "/P" not in signature.sig_field or signature.field_name not in places:
            raise _changed(signature.field_name, "a signature without its place")


def _in_its_box(annotation: Any, page: int, box: Box) -> None:
    if page != box.page or tuple(float(value) for value in annotation["/Rect"]) != box.corners():
        raise _changed(box.party, f"the mark of {box.party} is not in its box")


def _broken(party: str, detail: str) -> Problem:
    text = N_("The signature of {party} is broken: {detail}.")
    return Problem("signature-broken", text, where=party, party=party, detail=detail)


def _changed(party: str, detail: str) -> Problem:
    text = N_("The paper holds something that its signatures do not permit: {detail}.")
    return Problem("changed-after-signing", text, where="" if party == "?" else party, party=party, detail=detail)
