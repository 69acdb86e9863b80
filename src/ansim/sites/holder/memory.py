"""What this node remembers of every answer about its people, in its own database and in the answer's own transaction.

Opened anew for each use: an act that is rolled back leaves no code in anybody's memory.
"""

import base64
from collections.abc import Iterator
from functools import cache

from ansim.privacy.disclosure.memory import Memory, Record
from ansim.privacy.disclosure.policy import Policy
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.store import models

KIND = "memory"


class LedgerStorage:
    """Records in the site's database, in the order of appending; they hold keyed names and codes, no person id."""

    def load(self) -> Iterator[Record]:
        for found in models.Record.objects.filter(kind=KIND).order_by("key").iterator():
            yield Record(found.status, found.data["facts"], base64.b64decode(found.data["body"]))

    def append(self, record: Record) -> None:
        number = post.next_number(KIND)  # its row stays locked until the act ends: one writer at a time
        body = base64.b64encode(record.body).decode()
        models.Record.objects.create(
            kind=KIND,
            key=f"{number:012d}",
            status=record.kind,
            data={"facts": record.facts, "body": body},
            updated=clock.iso(clock.now()),
        )


@cache
def _secret() -> bytes:
    return bytes.fromhex(post.keeper().call("node_secret", purpose="release-memory"))


def memory(policy: Policy | None = None) -> Memory:
    """This node's memory. Call it inside the transaction of the answer."""
    models.Counter.objects.get_or_create(name=KIND)
    models.Counter.objects.select_for_update().get(name=KIND)  # nobody else appends between loading and answering
    return Memory(LedgerStorage(), _secret(), policy or Policy.from_data(site().policy))
