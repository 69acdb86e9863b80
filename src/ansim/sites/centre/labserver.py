"""The address of interactive work: a port of its own beside the pages, so that a notebook is another origin."""

import threading

from ansim.sites.centre import labs
from ansim.sites.centre.labdoor import Door, Entered
from ansim.sites.config import site
from ansim.sites.exchange.gate import in_thread


def origin(host: str, scheme: str = "http") -> str:
    """Where a browser that sees the pages at this host sees notebooks."""
    told = str(site().options.get("lab_origin", ""))
    return told or f"{scheme}://{host.rpartition(':')[0] or host}:{labs.lab_port()}"


def portal(host: str) -> str:
    """Where the pages are for a browser that sees notebooks at this host."""
    scheme = "https" if site().tls.get("certificate") else "http"
    return str(site().options.get("portal_origin", "")) or f"{scheme}://{host.rpartition(':')[0]}:{site().port}"


async def _enter(cookies: str, name: str, address: str) -> Entered:
    return await in_thread(labs.enter, cookies, name, address)


def beside(stop: threading.Event) -> threading.Thread | None:
    """Serve notebooks until `stop`, where this centre has a port for them."""
    port = labs.lab_port()
    if not port:
        return None
    import uvicorn

    hosts = tuple(dict.fromkeys([site().host, "localhost", "127.0.0.1", *site().options.get("hosts", [])]))
    settings = uvicorn.Config(
        Door(_enter, hosts, portal),
        host=site().host,
        port=port,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=site().tls.get("certificate"),
        ssl_keyfile=site().tls.get("key"),
        ws="websockets-sansio",
        ws_max_size=4 << 20,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(settings)

    def end() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=end, daemon=True).start()
    thread = threading.Thread(target=server.run, name="notebooks", daemon=True)
    thread.start()
    return thread
