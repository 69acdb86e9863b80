"""Addresses: those that every site has, then those of its kind."""

import importlib
from types import ModuleType

from django.urls import include, path

from ansim.sites import common, pages
from ansim.sites.config import site


def kind_module() -> ModuleType:
    """The views of this site's kind: `urlpatterns` and `navigation(request)`."""
    return importlib.import_module(f"ansim.sites.{site().kind}.views")


urlpatterns = [
    path("sign-in/", pages.sign_in),
    path("sign-out/", pages.sign_out),
    path("step-up/", pages.step_up),
    path("health/", common.health),
    path("ledger/", common.ledger_page),
    path("ledger/witness/", common.witness_now),
    path("jobs/", common.jobs_page),
    path("", include("ansim.sites.web.urls")),
    path("", include(kind_module().urlpatterns)),
]
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
