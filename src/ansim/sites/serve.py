"""Running a site: its key process, its database, its worker, its pages. Ctrl-C or SIGTERM stops it cleanly."""

import json
import os
import threading
from pathlib import Path


def prepare(folder: Path) -> None:
    """Django for this folder's site, its database up to date, its pairing's notices and first accounts taken in."""
    os.environ["ANSIM_SITE"] = str(folder.resolve())
    from ansim.sites import asgi

    asgi.load_kind()
    from ansim.sites.operate import upgrade

    upgrade.run()
    from ansim.sites import people
    from ansim.sites.exchange import trust

    trust.load_initial()
    accounts = folder / "accounts.json"
    if accounts.exists():
        for account in json.loads(accounts.read_text("utf-8")):
            people.add(**account)
        accounts.unlink()


def serve(folder: Path) -> None:
    """Serve until stopped."""
    import uvicorn

    from ansim.sites import fitness
    from ansim.sites.config import read
    from ansim.sites.keeper import client

    here = read(folder)
    held = fitness.lock(here.folder, "site.lock", seconds=2)  # a second one would take the first one's key process away
    stop = threading.Event()
    guard = None
    if here.keeper:
        client.wait(client.Keeper(here.folder, here.socket), seconds=60)
    else:
        guard = threading.Thread(target=client.guard, args=(here.folder, client.start(here.folder), stop))
        guard.start()
    try:
        prepare(here.folder)
        from ansim.sites import asgi
        from ansim.sites.store import worker

        threads = worker.start(stop)
        if here.kind == "centre":
            from ansim.sites.centre import labserver

            labserver.beside(stop)
        uvicorn.run(
            # several web processes share the port; the jobs stay in this one, which looks after them
            "ansim.sites.asgi:application" if here.processes > 1 else asgi.application,
            workers=here.processes,
            host=here.host,
            port=here.port,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=2,
            access_log=False,
            server_header=False,
            ssl_certfile=here.tls.get("certificate"),
            ssl_keyfile=here.tls.get("key"),
            forwarded_allow_ips=here.network.get("behind", ["127.0.0.1"]),
        )
        stop.set()
        for thread in threads:
            thread.join(0.2)
    finally:
        stop.set()
        if guard:
            guard.join(8)
        held.close()
