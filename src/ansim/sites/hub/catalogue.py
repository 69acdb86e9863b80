"""The catalogue: dataset descriptions that holders signed, indexed for search."""

from ansim.data import catalogue
from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.exchange import post, signed, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record


@post.receives("dataset.publish")
def _on_publish(message: post.Message) -> None:
    """Take in a description that its holder's key signed; a newer version of a dataset replaces the older."""
    given = message.payload["description"]
    document = signed.open_document(given, trust.directory().keys(message.sender, clock.now()))
    catalogue.check_description(document, document["disclosure"]["threshold"])
    if document["holder"]["id"] != message.sender:
        raise Problem("not-yours", N_("A dataset is described by its own holder."))
    if not isinstance(document.get("id"), str) or not 0 < len(document["id"]) <= 100:
        raise Problem("bad-dataset", N_("A dataset needs an id."))
    held = Record.objects.filter(kind="dataset", key=document["id"]).first()
    if held and held.data["description"]["holder"] != message.sender:
        raise Problem("not-yours", N_("A dataset is described by its own holder."))
    digest = ledger.keep(given, "dataset")
    ledger.note(f"dataset:{document['id']}", "dataset.published", actor=message.sender, description=digest)
    ledger.record("dataset", document["id"], {"description": document, "signed": digest}, status=message.sender)


def datasets() -> list[dict]:
    return [found.data["description"] for found in Record.objects.filter(kind="dataset").order_by("key")]


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


def search(text: str, language: str) -> list[dict]:
    """What fits the words, best first; all for an empty search: [{"description", "score", "variables"}]."""
    return catalogue.search(datasets(), text, language)
