"""The release that `make dist` builds: what is in it, and that a site of each kind runs from the wheel alone.

The long test fetches every wheel from the package index, so it is for `make soak`; its installations have no network.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ansim.sites.keeper import keystore
from ansim.sites.operate import bundle, release

ROOT = Path(__file__).parents[2]
KEY = Ed25519PrivateKey.generate()
SECONDS = 60 * float(os.environ.get("ANSIM_SLOW", "1"))


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "dist"
    subprocess.run([sys.executable, "tools/dist.py", str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_release_says_what_is_in_it(dist):
    with pytest.raises(release.Problem) as found:
        release.verify(dist, KEY.public_key())
    assert found.value.code == "not-signed"
    release.write_sums(dist, KEY.sign)
    assert {"LICENSE", "NOTICE", "sbom.cdx.json"} < set(release.verify(dist, KEY.public_key()))
    text = (dist / "sbom.cdx.json").read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    said = json.loads(text)
    parts = {part["name"]: part for part in said["components"]}
    assert {"django", "duckdb", "cryptography", "psycopg", "pandas"} <= set(parts)
    assert not {"pytest", "hatchling", "playwright"} & set(parts), "what only developers need is no part of a release"
    assert all(part["hashes"] and part["version"] for part in parts.values())
    lock = (dist / "requirements-hub.lock").read_text("utf-8")
    assert "psycopg==" in lock
    assert "psycopg==" not in (dist / "requirements-holder.lock").read_text("utf-8")
    assert "pandas==" in (dist / "requirements-centre.lock").read_text("utf-8")


@pytest.mark.soak
@pytest.mark.network
@pytest.mark.parametrize("kind", ["hub", "holder", "centre"])
def test_a_site_runs_from_a_bundle(dist, tmp_path, kind):
    release.write_sums(dist, KEY.sign)
    bundle.make(dist, kind, tmp_path / "bundle.tar", KEY.public_key())
    with tarfile.open(tmp_path / "bundle.tar") as tar:
        tar.extractall(tmp_path / "there", filter="data")
    (tmp_path / "key.pem").write_bytes(release.pem(KEY.public_key()))
    plain = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ANSIM_RELEASE_KEY": str(tmp_path / "key.pem")}
    alone = ["unshare", "-n"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*alone, "sh", "there/install.sh", "venv"], cwd=tmp_path, env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    (tmp_path / "secret").write_text("Kx7vTqLw2mZ9rBd4HsYp")
    (tmp_path / "secret").chmod(0o600)
    roots = [keystore.public(keystore.new_key("sig")) for _ in range(3)]
    (tmp_path / "trust.json").write_text(json.dumps({"roots": roots[:2], "threshold": 2, "ministry": roots[2]}))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ansim = str(tmp_path / "venv" / "bin" / "ansim")
    environment = {**plain, "ANSIM_PASSPHRASE_FILE": str(tmp_path / "secret")}
    made = [ansim, "init", kind, str(site), "--id", "one", "--name", "One", "--trust", "trust.json"]
    subprocess.run(
        [*made, "--port", str(port), "--hub-url", "http://127.0.0.1:9"], cwd=tmp_path, env=environment, check=True
    )
    with subprocess.Popen([ansim, "serve", str(site)], env=environment) as process:
        try:
            assert _answer(port)["kind"] == kind
        finally:
            process.terminate()


def _answer(port: int) -> dict:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{port}/health/", timeout=5).json()
        time.sleep(0.2)
    raise AssertionError("the site did not answer")
