"""A restored site answers nothing until the others agree that it remembers all that they know of it.

An old backup would forget what was released, who was removed, which keys were destroyed. So while FOLDER/restored.json
is there, no page, job or beat of the site acts; mail is taken in and waits. It asks every site of the directory
(`restore.ask`), and each tells (`restore.tell`) the newest head of this site's ledger that it has cosigned, the last
number of an acting message that it had from here, and its notices. The site opens when all have answered and

- its own ledger holds each of those heads (the entries up to it are the same, none is missing),
- it had numbered as many messages to each as that one has seen, so nothing left it that it does not know of,
- it has every notice in the number that they have (removals, revocations, designations).
"""

import json
from typing import Any

from django.db import transaction

from ansim.errors import Problem
from ansim.governance.ledger import checkpoint
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import envelope, post, trust, witness
from ansim.sites.fitness import RESTORED, restoring
from ansim.sites.keeper.keystore import write_private
from ansim.sites.store import ledger
from ansim.sites.store.models import Counter, Notice, Seen, Witnessed
from ansim.sites.store.worker import beat

ASK, TELL = "restore.ask", "restore.tell"
ASK_SECONDS = 5.0


def held() -> dict[str, Any]:
    """What is known of the restore so far: {"at", "ledger", "answers": {site: …}, "why": {site: reason}}."""
    try:
        return json.loads(site().path(RESTORED).read_text("utf-8"))
    except FileNotFoundError:
        return {}


@post.receives(ASK)
def _on_ask(message: post.Message) -> None:
    """Tell a restored site what this one knows of it."""
    last = Witnessed.objects.filter(origin=message.sender).order_by("-size").first()
    seen = Seen.objects.filter(sender=message.sender).order_by("-seq").values_list("seq", flat=True).first()
    acted = Counter.objects.filter(name=f"acted:{message.sender}").values_list("value", flat=True).first()
    answer = {
        "head": last.note if last else "",
        "size": last.size if last else 0,
        "seen": seen or 0,
        "acted": acted or 0,
        "notices": dict(Notice.objects.order_by("name").values_list("name", "seq")),
    }
    post.send(TELL, answer, to=message.sender, irt=message.jti)


@post.receives(TELL)
def _on_tell(message: post.Message) -> None:
    """Told once more after this site has opened: nothing to do. (While it is closed, `post.take` hears it.)"""


def hear(sender: str, payload: dict[str, Any]) -> None:
    """Weigh what one site tells, and open this site when all are content."""
    known = held()
    reason = _objection(sender, payload)
    known.setdefault("answers", {})[sender] = {name: payload.get(name) for name in ("size", "seen", "acted")}
    known.setdefault("why", {}).pop(sender, None)
    if reason:
        known["why"][sender] = reason
    write_private(site().path(RESTORED), json.dumps(known).encode())
    if not known["why"] and not missing():
        _open(known)


def _objection(sender: str, told: dict[str, Any]) -> str:
    """Why this site may not act yet, as a code; empty if this one is content."""
    mine = dict(Notice.objects.values_list("name", "seq"))
    if any(mine.get(name, 0) < int(seq) for name, seq in told["notices"].items()):
        return "notices-behind"
    sent = Counter.objects.filter(name=f"sent:{sender}").values_list("value", flat=True).first() or 0
    if int(told["acted"]) > sent:
        return "messages-forgotten"
    if not told["head"]:
        return ""
    try:
        keys = [witness.raw(key) for key in trust.directory().keys(site().id, clock.now())]
        head = checkpoint.open_checkpoint(told["head"], site().id, keys)
    except (Problem, checkpoint.BadNote):
        return "head-unsigned"
    size, root = witness.present()
    if head.size > size:
        return "entries-forgotten"
    own = root if head.size == size else witness.root_at(head.size)
    return "" if own == head.root else "ledger-differs"


def missing() -> list[str]:
    """The sites of the directory that have not told yet."""
    told = set(held().get("answers", {}))
    return sorted(name for name in trust.directory().sites if name != site().id and name not in told)


def _open(known: dict[str, Any]) -> None:
    """The site acts again: its numbers go on after the last that anybody saw, and the restore is on its ledger."""
    with transaction.atomic():
        for name, told in known["answers"].items():
            counter, _ = Counter.objects.get_or_create(name=f"sent:{name}")
            Counter.objects.filter(name=counter.name).update(value=max(counter.value, int(told["seen"])))
        ledger.note("site", "site.restored", backup=known["at"], told_by=sorted(known["answers"]))
    site().path(RESTORED).unlink()


def ask() -> None:
    """Ask those who have not told, or who objected: newer notices may have come meanwhile."""
    from ansim.sites.exchange.transport import transport

    known = held()
    for other in sorted({*missing(), *known.get("why", {})}):
        wire = envelope.write(
            ASK, {}, iss=site().id, aud=other, kid=post.own_kid(), sign=post.sign, now=clock.now(), seq=0
        )
        transport().send([wire])


@beat("restored", lambda: ASK_SECONDS)
def _ask() -> None:
    if restoring(site().folder) and trust.document("directory"):
        ask()
