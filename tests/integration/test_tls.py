"""A site that answers HTTPS itself, under a private CA, reached directly and through an HTTP proxy."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansim.sites import config, doctor_network, init
from ansim.sites.exchange import outbound
from ansim.sites.keeper import keystore

GOOD = b"Kx7vTqLw2mZ9rBd4HsYp"
NOW = datetime.now(UTC)
SECONDS = 60 * float(os.environ.get("ANSIM_SLOW", "1"))


def issued(name: str, issuer=None, *, days: int = 90):
    """(certificate, private key): of a CA when no issuer is given, else of a server on this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, by_key = issuer or (None, key)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=200))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    return made.sign(by_key, hashes.SHA256()), key


def written(folder: Path, name: str, certificate, key) -> tuple[Path, Path]:
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    body = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    keystore.write_private(files[1], body)
    return files


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """(folder of a site that answers HTTPS, its port, the CA's file)."""
    base = tmp_path_factory.mktemp("tls")
    ca = issued("Private CA")
    ca_file, _ = written(base, "ca", *ca)
    certificate, key = written(base, "site", *issued("localhost", ca))
    keystore.write_private(base / "secret", GOOD)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = base / "hub"
    trust = {"roots": [keystore.public(keystore.new_key("sig"))], "threshold": 1}
    tls = {"certificate": str(certificate), "key": str(key)}
    init.make(folder, id="hub", kind="hub", name={"ko": "", "en": ""}, passphrase=GOOD, trust=trust, port=port, tls=tls)
    environment = {**os.environ, "ANSIM_PASSPHRASE_FILE": str(base / "secret")}
    command = [sys.executable, "-m", "ansim.cli.main", "serve", str(folder)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield folder, port, ca_file
        finally:
            process.terminate()


def caller(folder: Path, port: int, **network) -> config.Site:
    """A hospital that calls this hub."""
    return config.Site(folder, "h", "holder", {}, hub_url=f"https://localhost:{port}", network=network)


def answer(here: config.Site) -> dict:
    end = time.monotonic() + SECONDS
    while True:
        try:
            return httpx.get(f"{here.hub_url}/health/", timeout=5, **outbound.options(here)).json()
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY" in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.2)


def test_the_private_ca_is_trusted_where_it_is_set_and_nowhere_else(secure):
    folder, port, ca = secure
    assert answer(caller(folder, port, ca=str(ca)))["site"] == "hub"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY"):
        answer(caller(folder, port))
    other, _ = written(folder.parent, "other", *issued("Another CA"))
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY"):
        answer(caller(folder, port, ca=str(other)))
    said = {each.check: each.state for each in doctor_network.examine(caller(folder, port), NOW)}
    assert said == {"way to the hub": "warn"}
    said = {each.check: each.state for each in doctor_network.examine(caller(folder, port, ca=str(ca)), NOW)}
    assert said == {"way to the hub": "ok"}


def test_pages_over_tls_set_cookies_that_only_tls_carries(secure):
    folder, port, ca = secure
    here = caller(folder, port, ca=str(ca))
    found = httpx.get(f"{here.hub_url}/sign-in/", timeout=10, **outbound.options(here))
    assert "max-age=31536000" in found.headers["strict-transport-security"]
    cookies = found.headers.get_list("set-cookie")
    assert cookies
    assert all("Secure" in cookie for cookie in cookies)


def _proxy(server: socket.socket, seen: list[str]) -> None:
    """One HTTP CONNECT, as a hospital's proxy carries it: bytes both ways until either side ends."""
    with contextlib.suppress(OSError):
        near, _ = server.accept()
        request = near.recv(4096).decode()
        seen.append(request.split()[1])
        host, _, port = seen[-1].partition(":")
        with near, socket.create_connection((host, int(port))) as far:
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_carry, args=(far, near))
            back.start()
            _carry(near, far)
            back.join()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := one.recv(65536):
            other.sendall(piece)
        other.shutdown(socket.SHUT_WR)


def test_calls_go_through_the_proxy_that_is_set(secure):
    folder, port, ca = secure
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        carrying = threading.Thread(target=_proxy, args=(server, seen))
        carrying.start()
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert answer(caller(folder, port, ca=str(ca), proxy=proxy))["site"] == "hub"
        carrying.join(10)
    assert seen == [f"localhost:{port}"]


def test_the_doctor_looks_at_the_certificate(secure, tmp_path):
    folder, port, ca = secure
    here = config.read(folder)
    assert [each.state for each in doctor_network.examine(here, NOW)] == ["ok"]
    assert [each.state for each in doctor_network.examine(here, NOW + timedelta(days=80))] == ["warn"]
    assert [each.state for each in doctor_network.examine(here, NOW + timedelta(days=91))] == ["fail"]
    open_to_all = config.Site(folder, "h", "hub", {}, host="0.0.0.0")  # noqa: S104 - the very thing to be found
    assert [each.state for each in doctor_network.examine(open_to_all, NOW)] == ["fail"]
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    found = list(doctor_network.examine(caller(folder, port, ca=str(bad)), NOW))
    assert [each.state for each in found] == ["fail"]
    assert isinstance(ssl.create_default_context(cafile=str(ca)), ssl.SSLContext)
