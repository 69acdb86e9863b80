"""What the doctor says of a site's connections: its own certificate, the private CA, the way to the hub."""

import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
from cryptography import x509

from ansim.errors import Problem
from ansim.sites.config import Site
from ansim.sites.doctor import Finding, too_open
from ansim.sites.exchange import outbound

SOON = timedelta(days=30)


def examine(here: Site, now: datetime) -> Iterator[Finding]:
    """TLS of its own, the private CA, and whether the hub answers."""
    if here.tls:
        yield from _tls(here, now)
    elif not here.demo and here.host not in {"127.0.0.1", "::1", "localhost"}:
        detail = f"this site answers plain HTTP on {here.host}"
        remedy = "Let it listen on 127.0.0.1 behind a TLS proxy, or set [tls] in site.toml."
        yield Finding(here.id, "tls", "fail", detail, remedy)
    if here.kind != "hub" and here.transport == "http" and here.hub_url:
        yield _hub(here)


def _tls(here: Site, now: datetime) -> Iterator[Finding]:
    certificate, key = (here.path(here.tls[name]) for name in ("certificate", "key"))
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        end = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        detail = f"{certificate} and {key} cannot be used: {type(error).__name__}"
        yield Finding(here.id, "tls", "fail", detail, "Both are PEM files, and the key is the certificate's.")
        return
    if too_open(key):
        yield Finding(here.id, "tls", "fail", f"others may read {key}", f"chmod 600 {key}")
    state = "fail" if end <= now else "warn" if end - now < SOON else "ok"
    yield Finding(here.id, "tls", state, f"until {end:%Y-%m-%d}", "" if state == "ok" else "Have it renewed.")


def _hub(here: Site) -> Finding:
    try:
        answer = httpx.get(f"{here.hub_url}/health/", timeout=5, **outbound.options(here)).json()["site"]
    except Problem as problem:
        return Finding(here.id, "way to the hub", "fail", str(problem), "Mend [network] in site.toml.")
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        told = "its certificate is not trusted" if "CERTIFICATE_VERIFY" in str(error) else type(error).__name__
        remedy = "Is the hub up? Is [network] in site.toml (ca, proxy) as your network needs it?"
        return Finding(here.id, "way to the hub", "warn", f"{here.hub_url} does not answer: {told}", remedy)
    if answer != here.hub:
        remedy = "Set hub and hub_url in site.toml to the same site."
        return Finding(here.id, "way to the hub", "fail", f"{here.hub_url} is {answer}, not {here.hub}", remedy)
    return Finding(here.id, "way to the hub", "ok", f"{here.hub_url} answers")
