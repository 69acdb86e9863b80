"""Addresses: those that every site has, then those of its kind."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, include, path
from django.utils.translation import gettext_lazy as _

from ansim.sites import account, accounts_pages, common, lost, openapi, people, session
from ansim.sites.config import site
from ansim.sites.operate import pages as operating


def kind_modules() -> tuple[ModuleType, ...]:
    """Every module of this site's kind: pages give `urlpatterns` and `NAVIGATION`, others declare handlers and jobs."""
    return modules_of(site().kind)


@cache
def modules_of(kind: str) -> tuple[ModuleType, ...]:
    package = importlib.import_module(f"ansim.sites.{kind}")
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return tuple(importlib.import_module(name) for name in names)


def navigation(request: HttpRequest) -> list[tuple[object, str, int]]:
    """(label, address, waiting) of this kind's pages that the person's roles open.

    A page module names them: NAVIGATION = [(order, label, address, roles, count)]; no roles: for everyone; count: None
    or a function that says how many things wait there for the person of this request.
    """
    mine = people.roles(request.user)
    entries = [entry for module in kind_modules() for entry in getattr(module, "NAVIGATION", ())]
    entries.append((98, _("Operations"), "/operations/", set(operating.OPERATORS), None))
    entries.append((98, _("Accounts"), "/accounts/", {"admin"}, accounts_pages.waiting))
    entries.append((99, _("Record ledger"), "/ledger/", set(people.ROLES), None))
    return [
        (label, url, count(request) if count else 0)
        for _order, label, url, roles, count in sorted(entries, key=lambda entry: entry[0])
        if not roles or mine & set(roles)
    ]


everywhere = [
    path("sign-in/", session.sign_in),
    path("sign-out/", session.sign_out),
    path("step-up/", session.step_up),
    *account.urlpatterns,
    *accounts_pages.urlpatterns,
    path("health/", common.health),
    path("ready/", operating.ready),
    path("metrics", operating.measures),
    path("operations/", operating.operations),
    path("ledger/", common.ledger_page),
    path("ledger/witness/", common.witness_now),
    path("openapi.json", openapi.served),
    path("jobs/", common.jobs_page),
    path("jobs/<int:job_id>/again/", common.job_again),
    path("", include("ansim.sites.web.urls")),
]


def addresses(kind: str) -> list[URLPattern | URLResolver]:
    """What people and programs ask of a site of this kind; a fixed word goes before a name in the same place."""
    found = [*everywhere, *(each for module in modules_of(kind) for each in getattr(module, "urlpatterns", []))]
    return sorted(found, key=lambda each: [part.startswith("<") for part in str(each.pattern).split("/")])


handler400, handler404, handler500 = lost.unreadable, lost.nowhere, lost.broken
urlpatterns = addresses(site().kind)
if site().kind == "hub":
    from ansim.sites.hub import mailbox

    urlpatterns += [
        path("exchange/envelopes", mailbox.envelopes),
        path("exchange/poll", mailbox.poll),
        path("exchange/ack", mailbox.ack),
        path("exchange/notices", mailbox.notices),
        path("exchange/notices/<str:name>", mailbox.notice),
        path("exchange/blobs/<str:name>", mailbox.blob),
        path("exchange/blobs/<str:name>/size", mailbox.blob_size),
    ]
