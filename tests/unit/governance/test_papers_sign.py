"""Signatures of four parties, and every attack on them; each attack's positive control stands beside it."""

import dataclasses
import random
from datetime import timedelta
from io import BytesIO

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from papers_case import AT, CERTIFICATES, IDS, NAMES, PARTIES, TERMS, key_of, paper, party, refused, signed, signed_by
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from ansim.errors import Problem
from ansim.governance.papers import check as check_module
from ansim.governance.papers import paper as paper_module
from ansim.governance.papers import sign as sign_module
from ansim.governance.papers.agreement import agreement
from ansim.governance.papers.certificate import certificate, fingerprint
from ansim.governance.papers.check import verify_pdf
from ansim.governance.papers.sign import sign_pdf

BOTH = {"ko": "내용", "en": "content"}
NOW = AT + timedelta(days=2)


def check(pdf, certificates=CERTIFICATES, terms=TERMS, now=NOW, original=None):
    return [found.party for found in verify_pdf(pdf, certificates, terms, now=now, original=original)]


def refusal(*arguments, **options):
    with pytest.raises(Problem) as found:
        check(*arguments, **options)
    return found.value


def updated(pdf, change):
    """An incremental update that nobody signed."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def overwrite_page(writer):
    """Draw over the first page."""
    page = writer.root["/Pages"]["/Kids"][0]
    while "/Kids" in page:
        page = page["/Kids"][0]
    content = generic.StreamObject(stream_data=b"1 1 1 rg 0 0 600 800 re f")
    page[generic.pdf_name("/Contents")] = writer.add_object(content)
    writer.update_container(page)


def add_note(writer):
    page = writer.root["/Pages"]["/Kids"][0]
    while "/Kids" in page:
        page = page["/Kids"][0]
    note = {"/Type": "/Annot", "/Subtype": "/FreeText"}
    annotation = generic.DictionaryObject({generic.pdf_name(k): generic.pdf_name(v) for k, v in note.items()})
    annotation[generic.pdf_name("/Rect")] = generic.ArrayObject(map(generic.NumberObject, (10, 10, 300, 300)))
    page[generic.pdf_name("/Annots")] = generic.ArrayObject([writer.add_object(annotation)])
    writer.update_container(page)


def swap_attachment(writer):
    names = writer.root["/Names"]["/EmbeddedFiles"]["/Names"]
    stream = names[1]["/EF"]["/F"]
    stream._data, stream._encoded_data = b'{"ansim":"agreement/1"}', None
    writer.update_container(stream)


def test_parties_sign_one_after_another_and_each_prefix_verifies():
    for count in range(5):
        assert check(signed(count), original=paper()) == list(IDS[:count])
    assert signed(4).startswith(signed(3))
    assert signed(3).startswith(paper())


def test_signing_times_are_told():
    pdf = signed_by(signed_by(paper(), PARTIES[0]), PARTIES[1], at=AT + timedelta(hours=3))
    times = [found.at for found in verify_pdf(pdf, CERTIFICATES, TERMS, now=NOW)]
    assert times == [AT, AT + timedelta(hours=3)]


def test_an_unsigned_paper_has_no_signers_but_its_terms_are_checked():
    assert check(paper()) == []
    assert refusal(paper(), terms={**TERMS, "max_persons": 9}).code == "terms-differ"


def test_a_changed_byte_anywhere_is_refused():
    pdf = signed(2)
    chance = random.Random(7)
    places = [chance.randrange(len(pdf)) for _ in range(14)]
    gap = pdf.index(b"/Contents <") + len(b"/Contents <")
    for place in [*places, gap + 40, gap + 3000]:
        broken = bytearray(pdf)
        broken[place] ^= 1
        with pytest.raises(Problem):
            check(bytes(broken))


def test_what_differs_is_told():
    pdf = bytearray(signed(1))
    pdf[len(paper()) // 2] ^= 1
    found = refusal(bytes(pdf), original=paper())
    assert (found.code, found.facts["place"]) == ("pages-differ", len(paper()) // 2)
    other = {**TERMS, "max_persons": 9, "areas": ["asthma"]}
    assert refusal(signed(1), terms=other).facts["names"] == "areas, max_persons"


def test_a_signature_over_other_terms_is_refused():
    other = {**TERMS, "max_persons": 10**6}
    pdf = signed_by(agreement(other, names=NAMES, at=AT), *PARTIES)
    found = refusal(pdf)
    assert (found.code, found.facts["names"]) == ("terms-differ", "max_persons")
    assert check(pdf, terms=other) == list(IDS)  # control: the signatures as such are good


def test_pages_that_say_other_things_than_the_terms_are_refused():
    pdf = signed_by(agreement(TERMS, names={40481087: "Common cold"}, at=AT), *PARTIES[:1])
    assert refusal(pdf, original=paper()).code == "pages-differ"
    assert check(pdf) == ["user-1"]  # control: without the own rendering nothing tells


def test_another_key_under_the_same_name_is_refused():
    thief = party("hospital-a", 7)
    pdf = signed_by(paper(), PARTIES[0], thief)
    found = refusal(pdf)
    assert (found.code, found.where) == ("wrong-key", "hospital-a")
    assert found.facts["expected"] == fingerprint(CERTIFICATES["hospital-a"])
    assert check(pdf, {**CERTIFICATES, "hospital-a": thief.certificate}) == ["user-1", "hospital-a"]  # control


def test_the_right_certificate_with_another_key_is_refused():
    _, sign = key_of(7)
    thief = type(PARTIES[0])("hospital-a", CERTIFICATES["hospital-a"], sign)
    assert refusal(signed_by(paper(), thief)).code == "signature-broken"


def test_a_signer_who_is_not_known_is_refused():
    known = {name: found for name, found in CERTIFICATES.items() if name != "claims"}
    assert refusal(signed(4), known).code == "unknown-signer"


@pytest.mark.parametrize("change", [overwrite_page, add_note, swap_attachment])
def test_an_update_after_the_signatures_is_refused(change):
    pdf = updated(signed(2), change)
    for signature in PdfFileReader(BytesIO(pdf)).embedded_signatures:  # control: the signatures alone still fit
        context = ValidationContext(trust_roots=[signature.signer_cert], moment=AT, best_signature_time=AT)
        status = validate_pdf_signature(signature, context, skip_diff=True)
        assert status.intact
        assert status.valid
    with pytest.raises(Problem) as found:
        check(pdf)
    assert found.value.code in ("changed-after-signing", "terms-differ", "attachment")


@pytest.mark.parametrize("change", [overwrite_page, add_note, swap_attachment])
def test_an_update_that_a_later_party_signed_is_refused_too(change, monkeypatch):
    monkeypatch.setattr(sign_module, "attached", lambda pdf: TERMS)  # a signer who does not look
    pdf = signed_by(updated(signed(1), change), PARTIES[1])
    with pytest.raises(Problem) as found:
        check(pdf)
    assert found.value.code in ("changed-after-signing", "terms-differ", "attachment")


def test_a_mark_laid_over_the_text_is_refused(monkeypatch):
    """A later party draws its signature's appearance over the first page: the earlier signatures alone still fit."""
    places = paper_module.boxes(IDS, 4)
    over = dataclasses.replace(places[1], page=0, bottom=100.0, top=700.0)
    monkeypatch.setattr(sign_module, "boxes", lambda parties, pages: [places[0], over])
    pdf = signed_by(signed(1), PARTIES[1])
    monkeypatch.undo()
    found = refusal(pdf)
    assert (found.code, found.where) == ("changed-after-signing", "hospital-a")
    monkeypatch.setattr(check_module, "_in_its_box", lambda annotation, page, box: None)
    assert check(pdf) == ["user-1", "hospital-a"]  # control: nothing else notices


def test_a_known_organisation_that_is_no_party_is_refused(monkeypatch):
    stranger = party("centre-1", 8)
    monkeypatch.setattr(sign_module, "signatories", lambda document: ["centre-1", *IDS[1:]])
    pdf = signed_by(paper(), stranger)
    assert refusal(pdf, {**CERTIFICATES, "centre-1": stranger.certificate}).code == "not-a-party"


def test_a_letter_has_one_signer():
    document = {"ansim": "release/1", "issuer": {"id": "hospital-a", "name": "가람"}}
    block = paper_module.signature(BOTH, "가람", BOTH)
    original = paper_module.render(BOTH, [block], document=document, number="1", at=AT)
    assert check(signed_by(original, PARTIES[1]), terms=document, original=original) == ["hospital-a"]
    with refused("not-a-party"):
        signed_by(original, PARTIES[0])


def test_bytes_after_the_end_are_refused():
    assert refusal(signed(2) + b"\n% more\n").code == "changed-after-signing"


def rebuilt(pdf, change):
    with pikepdf.open(BytesIO(pdf)) as document:
        change(document)
        out = BytesIO()
        document.save(out)
    return out.getvalue()


def test_a_second_attachment_is_refused(monkeypatch):
    def attach(document):
        document.attachments["terms2.json"] = pikepdf.AttachedFileSpec(document, b"{}", filename="terms2.json")

    pdf = rebuilt(paper(), attach)
    assert refusal(pdf).code == "attachment"
    with refused("attachment"):
        signed_by(pdf, PARTIES[0])
    monkeypatch.setattr(sign_module, "attached", lambda pdf: TERMS)
    assert refusal(signed_by(pdf, PARTIES[0])).code == "attachment"


def test_a_rebuilt_paper_loses_its_signatures():
    with pytest.raises(Problem):
        check(rebuilt(signed(2), lambda document: None))


def test_a_party_signs_once_and_only_parties_sign():
    with refused("already-signed"):
        signed_by(signed(1), PARTIES[0])
    with refused("not-a-party"):
        signed_by(paper(), party("stranger", 8))


@pytest.mark.parametrize("at", [AT - timedelta(days=30), AT + timedelta(days=2000), NOW + timedelta(minutes=10)])
def test_a_time_outside_the_certificate_or_to_come_is_refused(at):
    assert refusal(signed_by(paper(), PARTIES[0], at=at)).code == "signature-time"


def test_a_certificate_that_has_run_out_since_still_holds():
    brief = party("user-1", 0, days=1)
    pdf = signed_by(paper(), brief)
    assert check(pdf, {"user-1": brief.certificate}, now=AT + timedelta(days=400)) == ["user-1"]


@pytest.mark.parametrize("junk", [b"", b"%PDF-1.7\n", b"not a pdf", None], ids=["empty", "head", "text", "cut"])
def test_what_is_no_paper_is_refused(junk):
    junk = signed(1)[:5000] if junk is None else junk
    assert refusal(junk).code == "pdf-unreadable"
    with refused("pdf-unreadable"):
        sign_pdf(junk, PARTIES[0], reason="x", at=AT)


@pytest.mark.parametrize("one", PARTIES, ids=lambda one: one.id)
def test_certificates_are_well_formed_and_self_signed(one):
    found = x509.load_der_x509_certificate(one.certificate)
    found.verify_directly_issued_by(found)
    assert found.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_other_curves_are_refused():
    key = ec.generate_private_key(ec.SECP384R1())
    with refused("certificate-key"):
        certificate("x", key.public_key(), bytes, organisation="x", not_before=AT, not_after=AT)
