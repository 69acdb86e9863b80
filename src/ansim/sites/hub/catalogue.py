"""The catalogue: dataset descriptions that holders signed, indexed for search, and as RDF for harvesters."""

import threading
from functools import cache
from typing import Any

from django.db.models import F

from ansim.data import catalogue
from ansim.data.catalogue import dcat, rdf
from ansim.errors import N_, Problem
from ansim.governance import purpose
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, signed, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Counter, Record

EDITION = "catalogue"  # of the counter that tells every process of this site that its index is old
FEED = 50  # datasets on a page of the harvest feed
_index: tuple[int, catalogue.Index] | None = None
_making = threading.Lock()


@post.receives("dataset.publish")
def _on_publish(message: post.Message) -> None:
    """Take in a description that its holder's key signed; a newer version of a dataset replaces the older."""
    given = message.payload["description"]
    document = signed.open_document(given, trust.directory().keys(message.sender, clock.now()))
    catalogue.check_description(document, document["disclosure"]["threshold"])
    if document["holder"]["id"] != message.sender:
        raise Problem("not-yours", N_("A dataset is described by its own holder."))
    held = Record.objects.filter(kind="dataset", key=document["id"]).first()
    if held and held.data["description"]["holder"]["id"] != message.sender:
        raise Problem("not-yours", N_("A dataset is described by its own holder."))
    digest = ledger.keep(given, "dataset")
    ledger.note(f"dataset:{document['id']}", "dataset.published", actor=message.sender, description=digest)
    ledger.record("dataset", document["id"], {"description": document, "signed": digest}, status=message.sender)
    Counter.objects.get_or_create(name=EDITION)
    Counter.objects.filter(name=EDITION).update(value=F("value") + 1)


def dataset(dataset_id: str) -> tuple[dict, bool]:
    """(description, whether its holder's signature still fits): verified each time it is shown, for the hub's own
    database could have been changed."""
    found = Record.objects.filter(kind="dataset", key=dataset_id).first()
    if found is None:
        raise Problem("no-dataset", N_("There is no dataset {name}."), name=dataset_id)
    document = found.data["description"]
    try:
        held = signed.open_document(
            ledger.document(found.data["signed"]), trust.directory().keys(document["holder"]["id"], clock.now())
        )
    except Problem:
        return document, False
    return document, held == document


def index() -> catalogue.Index:
    """The index of all descriptions, made anew when a publication has changed the edition."""
    global _index
    edition = Counter.objects.filter(name=EDITION).values_list("value", flat=True).first() or 0
    if _index is None or _index[0] != edition:
        with _making:
            if _index is None or _index[0] != edition:
                records = Record.objects.filter(kind="dataset").order_by("key").values_list("data", flat=True)
                _index = (edition, catalogue.Index([data["description"] for data in records.iterator()]))
    return _index[1]


def find(words: str, language: str, filters: catalogue.Filters) -> catalogue.Found:
    return catalogue.find(index(), words, language, filters)


@cache
def conditions() -> dict[str, dict[str, str]]:
    """What the DUO terms of descriptions mean: {"DUO:0000006": {ko, en, …}}."""
    return {term["duo"]: {**term, "short": name} for name, term in purpose.terms().items()}


def node(one: dict, root: str) -> rdf.Node:
    """A description as a dcat:Dataset; root: the portal's address, ending in a slash."""
    return dcat.dataset(one, f"{root}catalogue/{one['id']}/")


def feed(root: str, page: int) -> rdf.Node | None:
    """One page of the whole catalogue, by id; None when there is no such page."""
    records = Record.objects.filter(kind="dataset")
    total = records.count()
    pages = max(1, -(-total // FEED))
    if not 1 <= page <= pages:
        return None
    some: list[dict[str, Any]] = [
        data["description"]
        for data in records.order_by("key").values_list("data", flat=True)[(page - 1) * FEED : page * FEED]
    ]
    return dcat.catalogue(
        [node(one, root) for one in some],
        f"{root}catalogue/",
        name=site().name,
        pages=pages,
        page=page,
        total=total,
        modified=max((one["issued"] for one in some), default=""),
    )
