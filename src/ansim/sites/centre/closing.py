"""The end: by this centre's own clock an agreement ends, its data and keys are destroyed, and a certificate says so.

Access ends at the moment the period does (every act asks `agreements.unusable_now`); the beat below only puts that on
the record and clears up. What was destroyed is named from what the ledger and the records knew of it.
"""

from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import Problem
from ansim.governance.agreement import Close, End, agreement
from ansim.governance.core import civil_day
from ansim.governance.output import LIVE, Withdraw, output
from ansim.governance.papers.letters import destruction_certificate
from ansim.governance.papers.paper import text
from ansim.sites import clock
from ansim.sites.centre import federated, labs, letters, memory, outputs, runs, vault, workspaces
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.store import jobs, ledger, worker
from ansim.sites.store.models import Job, Record

METHOD = text(
    "폐쇄 분석환경의 암호화 키를 먼저 파기하여 봉인된 데이터를 모두 읽을 수 없게 한 뒤(암호학적 소거, NIST SP 800-88) "
    "파일을 0으로 덮어써 삭제하고 결합·가명 키와 중간 집계를 지움",
    "The key of the workspace destroyed first, so that all sealed data are unreadable (cryptographic erase, NIST SP "
    "800-88); then files overwritten with zeros and deleted; linkage keys, memory and intermediate sums erased",
)


@worker.beat("closing", lambda: 2.0)
def look() -> None:
    """End what is over, and close what was ended."""
    today = civil_day(clock.now()).isoformat()
    for found in Record.objects.filter(kind="agreement", status__in=["signing", "in force", "suspended"]):
        terms = (found.data["current"] or found.data["pending"])["terms"]
        if terms["not_after"] < today:
            end(found.key)
    for found in Record.objects.filter(kind="agreement", status__in=["ended", "terminated"]):
        jobs.queue("destroy", found.key, {"agreement": found.key, "at": clock.iso(clock.now())})
    federated.give_up()


def end(key: str) -> None:
    """On the record: the period is over. What still ran or waited stops."""
    with transaction.atomic():
        ledger.execute(agreement, key, End(by=site().id), actor=site().id)
        for found in outputs.of(key):
            if found.status in LIVE:
                ledger.execute(output, found.key, Withdraw(by=site().id, reason="the agreement ended"), actor=site().id)
        for data in federated.every(key):
            if data["status"] in ("running", "finishing"):
                federated.fail(data["id"], federated.NOT_RUN, "agreement-ended")
    runs.cancel(key)


def _destroy(payload: dict) -> dict[str, Any]:
    """Delete the files; doing it again after a crash finds nothing more and is fine."""
    key = payload["agreement"]
    labs.stop_all(key, "no longer allowed")
    sealed = vault.opens(key)
    erased = _erase(key) and not vault.opens(key)  # before the files go: what a disk still holds is unreadable
    with memory.LOCK:
        memory.forget(key)
        workspaces.wipe(workspaces.folder(key))
    return {"items": items(key), "sealed": sealed, "erased": erased}


def _erase(key: str) -> bool:
    """Destroy the workspace's keys in the key process; True when it did."""
    try:
        post.keeper().call("destroy", project=key)
    except Problem as problem:
        if problem.code == "keeper":
            raise jobs.Later(2.0, str(problem), counts=False) from problem
        return False
    return True


def items(key: str) -> list[dict]:
    """What the workspace held, by the records: [{name, sha256, kind, bytes}]."""
    space = Record.objects.filter(kind=workspaces.KIND, key=key).first()
    found = []
    for holder, entry in (space.data["extracts"] if space else {}).items():
        found += [
            _item(f"{holder}/{name}", table, text("가명처리 추출본", "Extract"))
            for name, table in entry.get("tables", {}).items()
        ]
    for part, facts in (space.data["parts"] if space else {}).items():
        kind = text("결합 데이터", "Linked data") if part == "linked" else text("분석 데이터", "Data for analysis")
        found += [_item(f"{part}/{name}", table, kind) for name, table in facts["tables"].items()]
    for data in runs.of(key):
        found += [
            _item(file["name"], {**file, "bytes": file["size"]}, text("분석 결과 파일", "File of a script"))
            for file in data["files"]
        ]
    for each in outputs.of(key):
        found += [
            _item(file["name"], {**file, "bytes": file["size"]}, text("반출 신청 파일", "File of an output request"))
            for file in each.data["files"]
        ]
    return found


def _item(name: str, file: dict, kind: dict) -> dict:
    return {"name": name[:60], "sha256": file["sha256"], "kind": kind, "bytes": file["bytes"]}


def _destroyed(payload: dict, found: dict) -> None:
    key, now = payload["agreement"], clock.now()
    state = ledger.load(agreement, key)
    if state.status not in ("ended", "terminated"):
        return
    certificate = ""
    if state.history:
        terms = state.current["terms"]
        document = {
            "ansim": "destruction/1",
            "id": f"destroyed-{key}",
            "agreement": key,
            "terms": digest(terms),
            "issuer": letters.issuer(),
            "reason": text(f"협약 종료 ({terms['not_after']})", f"End of the agreement ({terms['not_after']})"),
            "method": METHOD,
            "destroyed_at": clock.iso(now)[:19].replace("T", " "),
            "witness": letters.issuer()["name"],
            "items": found["items"],
        }
        paper = letters.signed(destruction_certificate(document, at=now), "파기 확인 / Destruction")
        certificate = ledger.keep_bytes(paper, "certificate", "application/pdf")
    ledger.execute(agreement, key, Close(by=site().id, certificate=certificate), actor=site().id)
    _forget(key)
    space = Record.objects.filter(kind=workspaces.KIND, key=key).first()
    if space:
        workspaces.change(
            key,
            "workspace.destroyed",
            site().id,
            {
                "certificate": certificate,
                "files": len(found["items"]),
                "opened before": found.get("sealed", False),
                "key destroyed": found.get("erased", False),
            },
            status="closed",
            certificate=certificate,
            closed=clock.iso(now),
            destroyed=len(found["items"]),
        )
    post.send(
        "register.note",
        {"kind": "closed", "id": key, "agreement": key, "certificate": certificate, "at": clock.iso(now)},
        to=site().hub,
    )


def _forget(key: str) -> None:
    """What the database still held of people: pairs, sums, what scripts printed, findings with numbers."""
    Record.objects.filter(kind="pairs", key=key).delete()
    for data in runs.of(key):
        ledger.record("run", data["id"], {**data, "stdout": "", "stderr": ""}, status=data["status"])
    for found in outputs.of(key):
        Record.objects.filter(kind=outputs.NOTES, key=found.key).delete()
    Job.objects.filter(kind__in=["import", "link"], payload__agreement=key).update(payload={})


jobs.job("destroy", finish=_destroyed)(_destroy)
