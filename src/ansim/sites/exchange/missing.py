"""Mail that did not arrive: the receiver notices, tells the sender, and it stands on both ledgers.

Whoever sends numbers its envelopes to each receiver (`seq`). A hub that withholds one leaves a hole: when later ones
have been here for a while, the hole is noted. Mail that was fetched too late (`envelope.LIFETIME`), or never, is told
in the same way. Nothing is sent again by itself: by then it may no longer be true; a person looks at it.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Min

from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.store import ledger
from ansim.sites.store.models import Counter, Seen
from ansim.sites.store.worker import beat

TYP = "mail.undelivered"
PATIENCE = 600.0  # seconds that later mail may overtake earlier (site option `gap_seconds`)
REMEMBERED = timedelta(days=60)  # after its end, an envelope is out of time in any case


@post.receives(TYP)
def _on_undelivered(message: post.Message) -> None:
    """A receiver, or the hub, says which of this site's messages did not get through."""
    given = message.payload
    facts = {name: str(given[name])[:100] for name in ("reason", "receiver", "about", "jti", "count") if name in given}
    ledger.note("exchange", "message.undelivered", **{"receiver": message.sender, **facts})


def tell(sender: str, **facts: Any) -> None:
    """Say so to the sender; about the hub's own mail, and about such a message itself, nobody is told."""
    if sender == site().id:
        ledger.note("exchange", "message.undelivered", **facts)
    elif facts.get("about") != TYP:
        post.send(TYP, facts, to=sender)


def look() -> None:
    """Note the holes in each sender's numbers that later mail has passed by for longer than the patience."""
    patience = timedelta(seconds=site().options.get("gap_seconds", PATIENCE))
    before = clock.iso(clock.now() - patience)
    for row in Seen.objects.filter(seq__gt=0).values("sender").annotate(first=Min("seq"), last=Max("seq")):
        with transaction.atomic():
            done = _done(row["sender"], row["first"])
            if row["last"] > done.value:
                _pass(row["sender"], done, before)


def _done(sender: str, first: int) -> Counter:
    """Up to which number the sender's mail is accounted for. A site that took mail in before numbers were kept begins
    with the first one that it remembers."""
    begun = Seen.objects.filter(sender=sender, seq=0).exists()
    found, _ = Counter.objects.get_or_create(name=f"got:{sender}", defaults={"value": first - 1 if begun else 0})
    return found


def _pass(sender: str, done: Counter, before: str) -> None:
    later = Seen.objects.filter(sender=sender, seq__gt=done.value).order_by("seq").values_list("seq", "at")
    for seq, at in later.iterator():
        if seq > done.value + 1:
            if at > before:
                break
            facts = {"reason": "missing", "count": seq - done.value - 1, "about": f"{done.value + 1}-{seq - 1}"}
            ledger.note("exchange", "mail.missing", sender=sender, first=done.value + 1, last=seq - 1)
            tell(sender, **facts)
        done.value = seq
    done.save()


@beat("missing", lambda: 30.0)
def _look() -> None:
    look()


@beat("seen", lambda: 3600.0)
def _forget() -> None:
    """Envelopes that no clock would take any more need not be remembered."""
    Seen.objects.filter(expires__lt=clock.iso(clock.now() - REMEMBERED)).delete()
