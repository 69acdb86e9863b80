"""For those who run a site: is it ready, its measures, and one page that says what to look after."""

import hmac
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from prometheus_client import CONTENT_TYPE_LATEST

from ansim.errors import Problem
from ansim.sites.config import site
from ansim.sites.operate import metrics, state, watch
from ansim.sites.pages import Empty, Notice, Page, Section, page
from ansim.sites.web.parts import Code, Column, Fact, Table
from ansim.sites.wording import called

OPERATORS = ("admin", "auditor", "steward", "room", "coordinator", "legal")


def ready(request: HttpRequest) -> JsonResponse:
    """200 if this site acts, 503 with the reasons' codes if it waits: what a load balancer or systemd asks."""
    found = state.gather()
    return JsonResponse({"ready": not found.unfit, "unfit": list(found.unfit)}, status=503 if found.unfit else 200)


def measures(request: HttpRequest) -> HttpResponse:
    """Prometheus's measures, for who shows the token in FOLDER/metrics.token; without that file there are none."""
    file = site().path("metrics.token")
    if not file.exists():
        raise Http404
    wanted, given = f"Bearer {file.read_text('utf-8').strip()}", request.headers.get("authorization", "")
    if not hmac.compare_digest(wanted.encode(), given.encode()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(metrics.text(), content_type=CONTENT_TYPE_LATEST)


@page(*OPERATORS)
def operations(request: HttpRequest) -> Page:
    """Queues, mail, ledger and witnesses, what ends when, disk and backup."""
    found = state.gather()
    wrong = watch.troubles(found)
    notices = [Notice(f"{gettext(watch.TROUBLE[kind])}: {detail}", "warning") for kind, detail in wrong.items()]
    first = notices or [Notice(_("Nothing needs looking after."), "success")]
    data = {
        "unfit": list(found.unfit),
        "troubles": wrong,
        "queues": {
            kind: {"waiting": n, "lag": round(lag), "dead": dead} for kind, (n, lag, dead) in found.queues.items()
        },
        "mail": found.mail,
        "ledger": {"entries": found.entries, "signed": found.head, "witnesses": found.witnesses},
        "ends": {name: end.isoformat() for name, end in found.ends.items()},
        "disk": {"free": found.disk_free, "total": found.disk_total, "database": found.database_bytes},
        "backup": found.backup.isoformat() if found.backup else None,
    }
    sections = [
        Section("", first),
        Section(_("Queues"), _queues(found)),
        Section(_("Ledger and witnesses"), _ledger(found)),
        Section(_("What ends when"), [_ends(found)]),
        Section(_("Disk and backup"), [_room(found)]),
    ]
    return Page(_("Operations"), sections, data, lead=_("How this site runs, and what somebody should see to."))


def _name(site_id: str) -> Any:
    """A site's name; its id while this site has no directory in date, for then this page is needed most."""
    try:
        return called(site_id)
    except Problem:
        return site_id


def _queues(found: state.State) -> list:
    jobs = [[Code(kind), waiting, round(lag), dead] for kind, (waiting, lag, dead) in found.queues.items()]
    mail = [[_name(name), number] for name, number in found.mail.items()]
    columns = [
        Column(_("Job")),
        Column(_("Waiting"), number=True),
        Column(_("Overdue"), _("seconds"), number=True),
        Column(_("Failed for good"), number=True),
    ]
    parts: list = [Table(_("Jobs"), columns, jobs)] if jobs else [Empty(_("No job waits."))]
    if mail:
        columns = [Column(_("Receiver")), Column(_("Waiting"), number=True)]
        parts.append(Table(_("Messages on their way"), columns, mail))
    return parts


def _ledger(found: state.State) -> list:
    facts = [
        Fact(_("Entries"), found.entries),
        Fact(_("Newest signed head"), found.head),
        Fact(_("Not yet witnessed"), found.entries - found.witnessed),
    ]
    rows = [[_name(name), size, found.entries - size] for name, size in sorted(found.witnesses.items())]
    columns = [Column(_("Witness")), Column(_("Witnessed up to entry"), number=True), Column(_("Behind"), number=True)]
    return [facts, *([Table(_("Witnesses"), columns, rows)] if rows else [])]


WORDS = {
    "directory": _("Site directory"),
    "designations": _("Designations"),
    "key site": _("Signing key"),
    "key receive": _("Receiving key"),
    "certificate": _("Certificate for papers"),
    "tls": _("Certificate for HTTPS"),
}


def _ends(found: state.State) -> Table:
    rows = [
        [WORDS.get(name) or _name(name.partition(":")[2]), end, (end - found.now).days]
        for name, end in sorted(found.ends.items(), key=lambda each: each[1])
    ]
    note = _("A research organisation's name stands for its list of members.")
    columns = [Column(_("What")), Column(_("Ends")), Column(_("Left"), _("days"), number=True)]
    return Table(_("What ends when"), columns, rows, note=note, hide_caption=True)


def _room(found: state.State) -> list:
    return [
        Fact(_("Free disk"), f"{found.disk_free / 1e9:,.1f} GB"),
        Fact(_("Size of the database"), f"{found.database_bytes / 1e6:,.1f} MB"),
        Fact(_("Last backup"), found.backup or _("none yet"), note=_("Made by the command ansim backup.")),
    ]
