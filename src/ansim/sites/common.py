"""Pages that every site has: health, the ledger, and the jobs that wait or failed."""

import json
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _

from ansim.errors import Problem
from ansim.sites import clock, people
from ansim.sites.config import site
from ansim.sites.exchange import post, witness
from ansim.sites.pages import Done, FormPart, Page, Section, act, page
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Checkpoint, Cosignature, Event, Job, LedgerHead
from ansim.sites.web.parts import Code, Column, Fact, Table
from ansim.sites.wording import JOB, called, tag


def health(request: HttpRequest) -> HttpResponse:
    """Ready when the database answers; says who this is and what time it has here."""
    head = LedgerHead.objects.filter(id=1).first()
    now = clock.iso(clock.now())
    last = Event.objects.order_by("-seq").values_list("at", flat=True).first()
    behind = last and datetime.fromisoformat(last) - clock.now() > ledger.STEP_BACK
    unfit = "clock-behind" if behind else ""
    try:
        post.keeper().public()
    except Problem as problem:
        unfit = problem.code
    return JsonResponse(
        {
            "site": site().id,
            "kind": site().kind,
            "now": now,
            "unfit": unfit,
            "ledger": head.size if head else 0,
            "waiting": Job.objects.filter(state__in=["queued", "leased"]).count(),
            "dead": Job.objects.filter(state="dead").count(),
        }
    )


READERS = {"auditor", "admin", "coordinator", "legal"}


@page()
def ledger_page(request: HttpRequest) -> Page:
    """The newest entries of the ledger, and up to where others have witnessed it.

    Votes, checks and reasons of refusals stand there, so only those whose office is to look after the record read what
    an entry says: nobody who votes or checks sees another's decision here before the own one, and no guest a reason.
    """
    inside = bool(people.roles(request.user) & READERS)
    head = LedgerHead.objects.filter(id=1).first()
    size = head.size if head else 0
    newest = Checkpoint.objects.order_by("-size").first()
    cosigned = Cosignature.objects.order_by("-size").first()
    witnessed = cosigned.size if cosigned else 0
    witnesses = list(Cosignature.objects.filter(size=witnessed).values_list("witness", flat=True))
    rows = Event.objects.order_by("-seq")[:200]
    table = Table(
        _("Newest entries"),
        [
            Column(_("No."), number=True),
            Column(_("When")),
            Column(_("What"), whole=True),
            Column(_("Of")),
            Column(_("By")),
            Column(_("Details")),
        ],
        [
            [
                e.seq,
                datetime.fromisoformat(e.at),
                Code(e.type),
                Code(e.stream if inside else "–", 40),
                e.actor if inside else "–",
                Code((e.data or "–") if inside else "–", 160),
            ]
            for e in rows
        ],
    )
    facts = [
        Fact(_("Entries"), size),
        Fact(_("Newest signed head"), newest.size if newest else 0),
        Fact(_("Witnessed up to entry"), witnessed, note=_("Changes at or before it are found by the others.")),
        Fact(_("Witnesses"), ", ".join(witnesses) or "–"),
        Fact(_("Not yet witnessed"), size - witnessed),
    ]
    return Page(
        _("Record ledger"),
        [Section("", [facts]), Section(_("Entries"), [table])],
        {
            "size": size,
            "head": newest.size if newest else 0,
            "witnessed": witnessed,
            "witnesses": witnesses,
            "newest": [
                {"seq": e.seq, "type": e.type}
                | ({"stream": e.stream, "actor": e.actor, "data": e.data} if inside else {})
                for e in rows
            ],
        },
        lead=_("Every act of this site, in order. Nothing is ever changed or taken out without others noticing."),
    )


@act("admin", "auditor", "coordinator", "steward", "room", "legal")
def witness_now(request: HttpRequest) -> Done:
    """Sign the present head and tell it to the witnesses at once."""
    witness.tell()
    return Done("/ledger/", _("The present head was told to the other sites."))


@page("admin", "auditor", "steward", "room", "coordinator", "legal")
def jobs_page(request: HttpRequest) -> Page:
    """What waits to be done, and what failed for good."""
    rows = Job.objects.exclude(state="done").order_by("state", "due")[:200]
    table = Table(
        _("Jobs"),
        [
            Column(_("Job")),
            Column(_("With")),
            Column(_("State")),
            Column(_("Tries"), number=True),
            Column(_("Progress")),
            Column(_("Last error")),
        ],
        [
            [
                Code(job.kind),
                called(job.lane.partition(":")[2]) or "–",  # messages: the lane of their receiver or sender
                tag(JOB, job.state),
                job.attempts,
                job.progress or "–",
                job.error[:200] or "–",
            ]
            for job in rows
        ],
    )
    dead = [
        FormPart(None, f"/jobs/{job.id}/again/", _("Try again"), text=f"{job.kind} {job.id}")
        for job in rows
        if job.state == "dead"
    ][:20]
    data = [
        {"id": j.id, "kind": j.kind, "key": j.key, "state": j.state, "attempts": j.attempts, "error": j.error}
        for j in rows
    ]
    lost = _undelivered()
    sections = [Section("", [table]), *([Section(_("Failed for good"), dead)] if dead else [])]
    sections += [Section(_("Messages that did not get through"), [_lost_table(lost)])] if lost else []
    return Page(_("Jobs and messages"), sections, {"jobs": data, "undelivered": lost})


def _undelivered() -> list[dict]:
    """The newest entries about messages of this site, or to it, that did not get through."""
    kinds = ("message.undelivered", "message.unsent", "message.failed", "mail.missing")
    rows = Event.objects.filter(type__in=kinds, stream="exchange").order_by("-seq")[:50]
    return [{"at": row.at, "type": row.type, **json.loads(row.data or "{}")} for row in rows]


LOST = {
    "message.undelivered": _("sent, not received"),
    "message.unsent": _("not sent"),
    "message.failed": _("received, not handled"),
    "mail.missing": _("expected, not received"),
}


LOST_FACTS = ("reason", "typ", "about", "first", "last")


def _lost_table(lost: list[dict]) -> Table:
    columns = [Column(_("When")), Column(_("What")), Column(_("With")), Column(_("Details"))]
    rows = [
        [
            datetime.fromisoformat(each["at"]),
            LOST[each["type"]],
            called(each.get("receiver") or each.get("sender") or "–"),
            Code(", ".join(f"{name} {each[name]}" for name in LOST_FACTS if name in each)),
        ]
        for each in lost
    ]
    note = _("Nothing is sent again by itself: look whether it still matters, and ask the other site.")
    return Table(_("Messages that did not get through"), columns, rows, note=note, hide_caption=True)


@act("admin", "steward", "room", "coordinator", "legal", "operator")
def job_again(request: HttpRequest, job_id: int) -> Done:
    """A failed job is taken up once more, after its cause has been mended."""
    with transaction.atomic():
        jobs.again(job_id)
        ledger.note("jobs", "job.again", actor=request.user.get_username(), job=job_id)
    return Done("/jobs/", _("It is tried again."))
