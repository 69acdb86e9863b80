"""Papers that the centre issues: its name, its signature, its time."""

import base64
from datetime import datetime

from ansim.governance.papers.sign import Party, sign_pdf
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust


def issuer() -> dict:
    return {"id": site().id, "name": f"{site().name['ko']} ({site().name['en']})"}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def signed(pdf: bytes, reason: str) -> bytes:
    """The paper with this centre's signature, made with the key whose certificate the directory names."""
    certificate = base64.b64decode(trust.directory().site(site().id)["certificate"])
    return sign_pdf(pdf, Party(site().id, certificate, post.sign), reason=reason, at=clock.now())
