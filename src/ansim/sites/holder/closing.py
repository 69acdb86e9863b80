"""The end of an agreement, by this holder's own clock: recorded, its keys destroyed, its review and board case closed.

Nothing is asked of anybody: access ends by itself with the last day (`unusable`); this makes it lasting and puts a
certificate of what was destroyed on the record. Other rooms name what they hold under an agreement with `destroys`.
"""

import base64
from collections.abc import Callable

from ansim.errors import N_
from ansim.governance import board as board_core
from ansim.governance import review as review_core
from ansim.governance.agreement import OPEN, Close, End, agreement
from ansim.governance.board import board
from ansim.governance.core import civil_day
from ansim.governance.papers.letters import destruction_certificate
from ansim.governance.papers.sign import Party, sign_pdf
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.holder import agreements, reviews
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record
from ansim.sites.store.worker import beat

KEYS = {"ko": "가명처리 비밀키와 결합 솔트", "en": "pseudonym secret and linkage salt"}
_destroyers: list[Callable[[str], list[dict]]] = []


def destroys(function: Callable[[str], list[dict]]) -> Callable[[str], list[dict]]:
    """Declare what destroys a room's things under an agreement: id -> [{name, sha256, kind: {ko, en}, bytes}].

    It runs outside a transaction, may run again after a crash, and must then find nothing left to destroy."""
    _destroyers.append(function)
    return function


@beat("endings", lambda: 2.0)
def _end() -> None:
    """End each agreement whose last day is over (Korean days)."""
    today = civil_day(clock.now()).isoformat()
    for found in Record.objects.filter(kind="agreement", status__in=OPEN):
        state = ledger.load(agreement, found.key)
        if today > (state.current or state.pending)["terms"]["not_after"]:
            end(found.key)


def end(key: str) -> None:
    ledger.execute(agreement, key, End(by="clock"), actor="clock")


@beat("closings", lambda: 2.0)
def _queue() -> None:
    """What has ended or was terminated is destroyed."""
    for key in Record.objects.filter(kind="agreement", status__in=["ended", "terminated"]).values_list(
        "key", flat=True
    ):
        jobs.queue("close-agreement", key, {"agreement": key})


def _destroy(payload: dict) -> tuple[list[dict], bytes]:
    """Destroy first; the record says so only after it is true. Gives what was destroyed, and the certificate."""
    key = payload["agreement"]
    items = [item for destroy in _destroyers for item in destroy(key)]
    post.keeper().call("destroy", project=key)
    return items, _certificate(key, items)


def _closed(payload: dict, done: tuple[list[dict], bytes]) -> None:
    key, request = payload["agreement"], agreements.request_of(payload["agreement"])
    state = ledger.load(agreement, key)
    if state.status not in ("ended", "terminated"):
        return
    items, paper = done
    certificate = ledger.keep_bytes(paper, "certificate", "application/pdf")
    ledger.execute(agreement, key, Close(by="clock", certificate=certificate), actor="clock")
    ledger.note(f"agreement-paper:{key}", "project.destroyed", actor="clock", certificate=certificate, items=len(items))
    agreements.over(key)
    review = reviews.get(request)
    if review.status != "closed" and review.agreement == key:
        reason = N_("The agreement has ended.") if state.status == "ended" else N_("The agreement was terminated.")
        reviews.moved(request, review_core.Close(by="clock", reason=reason), "clock")
        if ledger.load(board, request).status in (*board_core.OUTCOMES, "revoked"):
            ledger.execute(board, request, board_core.Close(by="clock", reason=reason), actor="clock")


jobs.job("close-agreement", finish=_closed)(_destroy)


def _certificate(key: str, items: list[dict]) -> bytes:
    """The signed destruction certificate. A secret has no hash that anybody may know."""
    state, now = ledger.load(agreement, key), clock.now()
    secret = {"name": f"keys/{key}", "sha256": "–", "kind": KEYS, "bytes": 32}
    document = {
        "ansim": "destruction/1",
        "id": f"cert-{site().id}-{key}",
        "agreement": key,
        "terms": state.current["digest"],
        "issuer": {"id": site().id, "name": f"{site().name['ko']} ({site().name['en']})"},
        "reason": {"ko": "협약 기간이 끝남", "en": "The agreement has ended"},
        "method": {
            "ko": "비밀키를 덮어쓰고 지움(암호학적 삭제), 파일 삭제",
            "en": "Keys overwritten and removed (crypto-erasure), files removed",
        },
        "destroyed_at": clock.iso(now),
        "witness": site().id,
        "items": [secret, *items],
    }
    certificate = base64.b64decode(trust.directory().site(site().id)["certificate"])
    words = "파기 확인 / Destruction confirmed"
    pdf = destruction_certificate(document, at=now)
    return sign_pdf(pdf, Party(site().id, certificate, post.sign), reason=words, at=now)
