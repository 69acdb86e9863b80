"""Ledger: appending with durable writes (SQLite, synchronous=FULL), and verifying it with the small program."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from ansim.sites import init
from ansim.sites.keeper.keystore import new_key, public


def main(entries: int = 2000) -> dict:
    folder = Path(tempfile.mkdtemp(prefix="ansim-bench-")) / "hub"
    root = new_key("sig")
    trust = {"roots": [public(root)], "threshold": 1, "ministry": public(root)}
    init.make(
        folder,
        id="hub",
        kind="hub",
        name={"ko": "h", "en": "h"},
        passphrase=os.urandom(32).hex().encode(),
        trust=trust,
        demo=True,
    )
    os.environ["ANSIM_SITE"] = str(folder)
    from django.core.management import call_command

    from ansim.sites import asgi  # noqa: F401 - sets Django up for this folder

    call_command("migrate", verbosity=0)
    from ansim.sites.store import ledger

    started = time.perf_counter()
    for number in range(entries):
        ledger.append(f"bench:{number % 50}", [("bench.event", {"number": number})], actor="bench")
    single = time.perf_counter() - started
    started = time.perf_counter()
    ledger.append("bench:many", [("bench.event", {"number": number}) for number in range(entries * 10)], actor="bench")
    batch = time.perf_counter() - started
    started = time.perf_counter()
    from ansim.governance.ledger.verify import verify

    verify([folder], {"sites": []})
    checking = time.perf_counter() - started
    return {
        "entries": entries * 11,
        "append, one a transaction, per second": round(entries / single),
        "append, many a transaction, per second": round(entries * 10 / batch),
        "verify, entries per second": round(entries * 11 / checking),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000), indent=1))
