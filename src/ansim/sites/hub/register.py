"""The public register: agreements, releases and closures, as the sites that made them report."""

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

KINDS = ("agreement", "release", "closed")


@post.receives("register.note")
def _on_note(message: post.Message) -> None:
    """One public fact. Each site's word stands under its own name: several sites report one agreement."""
    given = message.payload
    if given.get("kind") not in KINDS:
        raise Problem("bad-note", N_("The register does not know this kind of entry."))
    if trust.directory().site(message.sender)["kind"] == "user":
        raise Problem("not-yours", N_("Entries come from hospitals, public bodies and centres."))
    key = f"{given['kind']}:{given['id']}"
    found = Record.objects.filter(kind="register", key=key).first()
    said_by = sorted({*(found.data["said_by"] if found else []), message.sender})
    data = {**(found.data if found else {"at": clock.iso(clock.now())}), **given, "said_by": said_by}
    ledger.note(f"register:{key}", "register.entered", actor=message.sender, entry=given["kind"])
    ledger.record("register", key, data, status=given["kind"])
