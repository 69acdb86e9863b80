"""An agreement's paper at a site: rendered from its terms, signed with the site's key, verified against the directory.

Every site renders the same terms to the same bytes, so nobody signs pages that say other things than the terms.
"""

import base64
import json
from datetime import datetime

from django.http import HttpResponse

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.odrl import policy
from ansim.governance.papers.agreement import agreement as render
from ansim.governance.papers.check import verify_pdf
from ansim.governance.papers.sign import Party, sign_pdf
from ansim.governance.terms import parse_terms, parties
from ansim.research.cohort.definition.explain import explain
from ansim.research.cohort.definition.model import Definition
from ansim.research.cohort.query import parse as parse_query
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust


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


def require_all(terms: dict, signed: list[str]) -> None:
    missing = sorted(set(parties(terms)) - set(signed))
    if missing:
        raise Problem(
            "unsigned", N_("These parties have not signed: {names}."), names=", ".join(missing), digest=digest(terms)
        )


def odrl(terms: dict) -> HttpResponse:
    """The terms as an ODRL 2.2 policy, to be kept as a file."""
    body = json.dumps(policy(terms), ensure_ascii=False, indent=2)
    name = f"attachment; filename={terms['id']}-v{terms['version']}.odrl.jsonld"
    return HttpResponse(body, content_type="application/ld+json", headers={"Content-Disposition": name})
