"""An extract leaves: packed, sent with its match keys, then deleted here. Once more the grant is asked before."""

from django.db import transaction

from ansim.data.cdm.files import file_digest
from ansim.documents import digest
from ansim.errors import Problem, Problems
from ansim.governance.extract_review import unusable
from ansim.governance.review import OpenAccess
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.holder import agreements, closing, extraction, link_keys, linkage, reviews, risk_paper, source
from ansim.sites.holder.extracts import KIND, WITH_FILES, again, decisions_of, get, put, review_of, words
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record
from ansim.sites.store.worker import beat


def _stops(data: dict) -> list[Problem]:
    return [*unusable(review_of(data["id"]), data["plan"], source.edition(data["agreement"])), *again(data)]


def _is_linked(agreement: str) -> bool:
    found = agreements.state(agreement).current["terms"]["linkage"]
    return bool(found) and site().id in found["holders"]


def _pack(payload: dict) -> dict:
    data = get(payload["id"])
    if reasons := _stops(data):
        return {"problem": words(Problems(reasons))}
    linked = _is_linked(data["agreement"])
    if linked and not linkage.has_salt(data["agreement"]):
        raise jobs.Later(2.0, "the linkage salt has not arrived yet", counts=False)
    try:
        query = ledger.document(data["kept"])["document"]["query"]
        packed = extraction.pack(data["agreement"], query, extraction.folder(data["id"]), linked=linked)
        state = review_of(data["id"])
        return packed | {
            "linked": linked,
            "paper": risk_paper.render(data, state, decisions_of(data, state), clock.now()),
        }
    except Problem as problem:
        return {"problem": words(problem)}


def _sent(payload: dict, made: dict) -> None:
    """The extract leaves, its match keys with it; once more the grant is asked, in the transaction that sends."""
    data, state = get(payload["id"]), review_of(payload["id"])
    problem = made.get("problem")
    if not problem and (reasons := _stops(data)):
        problem = words(Problems(reasons))
        site().path("outgoing", made["blob"]).unlink(missing_ok=True)
    if problem:
        put({**data, "status": "stopped", "problem": problem}, "extract.stopped", "system", problem=problem)
        transaction.on_commit(lambda: extraction.forget(data["id"]))
        return
    terms = agreements.state(data["agreement"]).current["terms"]
    content = {
        "agreement": data["agreement"],
        "version": data["version"],
        "holder": site().id,
        "extract": data["id"],
        "manifest": data["manifest"],
        "dataset": source.named(),
        "blob": made["blob"],
        "key": made["key"],
        "decisions": decisions_of(data, state),
    }
    post.send("extract.send", content, to=terms["place"]["centre"], sealed=True, blob=made["blob"])
    if made["linked"]:
        linkage.send_keys(data["agreement"], made["rows"])
        transaction.on_commit(lambda: link_keys.forget(data["agreement"]))
    paper = ledger.keep_bytes(made["paper"], "risk-report", "application/pdf")
    changed = {
        **data,
        "status": "sent",
        "paper": paper,
        "sent": clock.iso(clock.now()),
        "centre": terms["place"]["centre"],
    }
    put(changed, "extract.sent", "system", to=terms["place"]["centre"], manifest=digest(data["manifest"]), paper=paper)
    if reviews.get(data["request"]).status == "preparing":
        reviews.moved(data["request"], OpenAccess(by=data["operator"]), data["operator"])
    transaction.on_commit(lambda: extraction.forget(data["id"]))


jobs.job("extract-send", finish=_sent)(_pack)


@beat("extract-files", lambda: 10.0)
def _tidy() -> None:
    """Files of extracts that have left or stopped are deleted, also if the process died before it could."""
    place = site().path("extracts")
    if not place.exists():
        return
    live = set(Record.objects.filter(kind=KIND, status__in=WITH_FILES).values_list("key", flat=True))
    for found in place.iterdir():
        key = found.name.split(".")[0]
        if key not in live:
            extraction.forget(key)


@closing.destroys
def _destroy(agreement: str) -> list[dict]:
    """Files of the agreement's extracts that are still here; most were deleted when they left."""
    found = []
    for record in Record.objects.filter(kind=KIND, data__agreement=agreement):
        for file in sorted(extraction.folder(record.key).glob("*.parquet")):
            kind = {"ko": "가명처리한 추출물", "en": "pseudonymised extract"}
            found.append({"name": file.name, "sha256": file_digest(file), "kind": kind, "bytes": file.stat().st_size})
        extraction.forget(record.key)
    link_keys.forget(agreement)
    return found
