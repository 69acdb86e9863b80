"""A release is what its makers signed, to the byte; a bundle carries it, and installs without a network."""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ansim.errors import Problem, Problems
from ansim.sites.operate import bundle, release

KEY = Ed25519PrivateKey.generate()


def codes(folder: Path, key=None) -> set[str]:
    try:
        release.verify(folder, (key or KEY).public_key())
    except Problems as found:
        return {each.code for each in found.problems}
    except Problem as found:
        return {found.code}
    return set()


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "ansim-1.whl").write_bytes(b"a wheel")
    (folder / "requirements-holder.lock").write_text("")
    release.write_sums(folder, KEY.sign)
    return folder


def test_a_genuine_release_is_known_as_such(signed):
    assert release.verify(signed, KEY.public_key()) == ["ansim-1.whl", "requirements-holder.lock"]


def test_openssl_and_sha256sum_say_the_same(signed, tmp_path):
    (tmp_path / "key.pem").write_bytes(release.pem(KEY.public_key()))
    assert (
        release.read_pem((tmp_path / "key.pem").read_bytes()).public_bytes_raw() == KEY.public_key().public_bytes_raw()
    )
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(tmp_path / "key.pem"), "-rawin"]
    command += ["-in", "SHA256SUMS", "-sigfile", "SHA256SUMS.sig"]
    assert subprocess.run(command, cwd=signed, capture_output=True, check=False).returncode == 0
    assert (
        subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=signed, capture_output=True).returncode == 0
    )
    (signed / "SHA256SUMS").write_bytes((signed / "SHA256SUMS").read_bytes() + b"\n")
    assert subprocess.run(command, cwd=signed, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda dist: (dist / "ansim-1.whl").write_bytes(b"another"), "changed-file"),
        (lambda dist: (dist / "ansim-1.whl").unlink(), "missing-file"),
        (lambda dist: (dist / "more.whl").write_bytes(b""), "unlisted-file"),
        (lambda dist: (dist / "SHA256SUMS.sig").unlink(), "not-signed"),
        (lambda dist: release.write_sums(dist, None), "not-signed"),
        (lambda dist: release.write_sums(dist, Ed25519PrivateKey.generate().sign), "bad-signature"),
        (lambda dist: (dist / "SHA256SUMS").write_text("0" * 64 + "  ansim-1.whl\n"), "bad-signature"),
    ],
)
def test_what_was_spoilt_is_refused_and_named(signed, spoil, reason):
    assert codes(signed) == set()
    spoil(signed)
    assert codes(signed) == {reason}


def test_a_name_that_leaves_the_folder_is_no_name(signed):
    content = f"{hashlib.sha256(b'').hexdigest()}  ../outside\n".encode()
    (signed / "SHA256SUMS").write_bytes(content)
    (signed / "SHA256SUMS.sig").write_bytes(KEY.sign(content))
    assert codes(signed) == {"bad-sums"}


def _wheel(folder: Path, name: str, body: str, script: str = "") -> Path:
    """A wheel as small as one can be."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": body,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{about}/entry_points.txt"] = f"[console_scripts]\nansim = {script}\n"
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as out:
        for path, text in {**files, f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}.items():
            out.writestr(path, text)
    return file


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    """(a signed release that needs one other package, a folder with that package's wheel)."""
    dist, wheels = tmp_path / "dist", tmp_path / "wheels"
    dist.mkdir()
    wheels.mkdir()
    _wheel(dist, "ansim", "import helper\ndef main(): print(helper.SAYS)\n", "ansim:main")
    needed = _wheel(wheels, "helper", "SAYS = 'installed'\n")
    digest = hashlib.sha256(needed.read_bytes()).hexdigest()
    (dist / "requirements-holder.lock").write_text(f"helper==1.0 \\\n    --hash=sha256:{digest}\n")
    release.write_sums(dist, KEY.sign)
    return dist, wheels


def test_a_bundle_installs_where_there_is_no_network(small, tmp_path):
    dist, wheels = small
    output = tmp_path / "holder.tar"
    assert bundle.make(dist, "holder", output, KEY.public_key(), wheels=wheels) == ["helper-1.0-py3-none-any.whl"]
    first = output.read_bytes()
    bundle.make(dist, "holder", output, KEY.public_key(), wheels=wheels)
    assert output.read_bytes() == first
    with tarfile.open(output) as tar:
        tar.extractall(tmp_path / "there", filter="data")
    (tmp_path / "key.pem").write_bytes(release.pem(KEY.public_key()))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "ANSIM_RELEASE_KEY": str(tmp_path / "key.pem"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/none",
    }
    command = ["sh", str(tmp_path / "there" / "install.sh"), str(tmp_path / "venv")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    installed = [tmp_path / "venv" / "bin" / "ansim"]
    assert subprocess.run(installed, env=environment, capture_output=True, check=True).stdout == b"installed\n"
    # the same with a wheel that somebody changed on the way: the signed lock's hash refuses it
    shutil.rmtree(tmp_path / "venv")
    _wheel(tmp_path / "there" / "wheels", "helper", "SAYS = 'owned'\n")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "do not match the hashes" in done.stderr.lower()


def test_a_bundle_takes_only_what_the_lock_names(small, tmp_path):
    dist, wheels = small
    stranger = _wheel(wheels, "stranger", "")
    with pytest.raises(Problem) as found:
        bundle.make(dist, "holder", tmp_path / "x.tar", KEY.public_key(), wheels=wheels)
    assert found.value.code == "unknown-wheel"
    stranger.unlink()
    (wheels / "helper-1.0-py3-none-any.whl").unlink()
    with pytest.raises(Problem) as found:
        bundle.make(dist, "holder", tmp_path / "x.tar", KEY.public_key(), wheels=wheels)
    assert found.value.code == "missing-wheels"
    assert not (tmp_path / "x.tar").exists()
