"""An agreement's paper at a site: rendered from its terms, signed with the site's key, verified against the directory.

Every site renders the same terms to the same bytes, so nobody signs pages that say other things than the terms.
"""

import base64
import json
from datetime import datetime

from django.http import HttpResponse

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.agreement import Draft, Sign, agreement
from ansim.governance.amendment import Change, signers
from ansim.governance.amendment import changes as changes_between
from ansim.governance.odrl import policy
from ansim.governance.papers.agreement import agreement as render
from ansim.governance.papers.check import verify_pdf
from ansim.governance.papers.sign import Party, sign_pdf
from ansim.governance.terms import parse_terms, parties
from ansim.research.cohort.definition.explain import explain
from ansim.research.cohort.definition.model import Definition
from ansim.research.cohort.query import parse as parse_query
from ansim.research.cohort.scope import outside
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger


def draw(terms: dict, names: dict, drawn: str) -> bytes:
    """The unsigned paper. names: concept id (text) to name; drawn: ISO time of drawing up."""
    called = {int(key): value for key, value in names.items()}
    return render(terms, names=called, at=datetime.fromisoformat(drawn), told=_told(terms["query"]))


def _told(query: dict) -> list[dict]:
    """The definition of a query/2 in Korean and English, line by line: both languages tell the same lines."""
    cohort = parse_query(query).cohort
    if not isinstance(cohort, Definition):
        return []
    korean, english = (explain(cohort, language).splitlines() for language in ("ko", "en"))
    return [{"ko": ko, "en": en} for ko, en in zip(korean, english, strict=True)]


def certificates(terms: dict) -> dict[str, bytes]:
    """Each party's pinned certificate, from the signed site directory."""
    directory = trust.directory()
    return {party: base64.b64decode(directory.site(party)["certificate"]) for party in parties(terms)}


def sign(pdf: bytes, terms: dict, reason: str) -> bytes:
    """The paper with this site's signature added."""
    certificate = certificates(terms)[site().id]
    return sign_pdf(pdf, Party(site().id, certificate, post.sign), reason=reason, at=clock.now())


def check(given: dict) -> tuple[dict, bytes, list[str]]:
    """(terms, pdf, parties whose signature holds) of {terms, pdf, names, drawn}; raises Problem saying what differs."""
    terms = parse_terms(given["terms"], parse_query)
    pdf = base64.b64decode(given["pdf"])
    original = draw(terms, given["names"], given["drawn"])
    found = verify_pdf(pdf, certificates(terms), terms, now=clock.now(), original=original)
    return terms, pdf, [each.party for each in found]


def needed(terms: dict) -> list[str]:
    """Whose signatures these terms need here: all for a first version, those touched for an amendment. Found out from
    the version that this site itself has in force, whatever comes with the paper."""
    state = ledger.load(agreement, terms["id"])
    before = state.current["terms"] if state.current else None
    return signers(before, terms, query_within=_within(before, terms), joining=site().id)


def _within(before: dict | None, terms: dict) -> bool:
    """Whether the new query asks for nothing beyond the old one; False where they cannot be compared."""
    if before is None:
        return False
    try:
        return not outside(parse_query(terms["query"]), parse_query(before["query"]))
    except Problem:
        return False


def changes(before: dict, terms: dict) -> list[Change]:
    """What an amendment changes, and whom each change touches."""
    return changes_between(before, terms, query_within=_within(before, terms))


def draft(terms: dict, by: str) -> Draft:
    """The command that records the offer, with what this site found out about it."""
    state = ledger.load(agreement, terms["id"])
    before = state.current["terms"] if state.current else None
    return Draft(by=by, terms=terms, query_within=_within(before, terms), joining=site().id)


def put_in_force(terms: dict, signed: list[str], paper: str, sender: str) -> None:
    """Record a paper that came complete: the offer, and each signature that was verified. Raises Problem if one of
    those needed is missing. paper: name of the kept PDF."""
    wanted, name = needed(terms), digest(terms)
    missing = sorted(set(wanted) - set(signed))
    if missing:
        raise Problem("unsigned", N_("These parties have not signed: {names}."), names=", ".join(missing), digest=name)
    ledger.execute(agreement, terms["id"], draft(terms, sender), actor=sender)
    for party in sorted(signed, key=lambda party: (party in wanted, parties(terms).index(party))):  # those needed last
        kid = trust.directory().keys(party, clock.now())[0]["kid"]
        command = Sign(by=sender, party=party, digest=name, key=kid, paper=paper)
        ledger.execute(agreement, terms["id"], command, actor=party)


def odrl(terms: dict) -> HttpResponse:
    """The terms as an ODRL 2.2 policy, to be kept as a file."""
    body = json.dumps(policy(terms), ensure_ascii=False, indent=2)
    name = f"attachment; filename={terms['id']}-v{terms['version']}.odrl.jsonld"
    return HttpResponse(body, content_type="application/ld+json", headers={"Content-Disposition": name})
