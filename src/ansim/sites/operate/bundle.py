"""A bundle for a separated network: one tar with a signed release and every wheel that one kind of site needs.

    release/     the folder that was signed (wheel, locks, bill of materials, sums, signature)
    wheels/      what the lock of this kind names; pip checks each against the hashes there
    install.sh   python3 -m venv, then pip with --no-index --require-hashes

Nothing in `wheels/` needs a signature of its own: the lock is signed and holds its hash. The wheels are those of the
machine that makes the bundle (its processor and Python), so make it on one like the target.
"""

import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ansim.errors import N_, Problem
from ansim.sites.exchange.bulk import digest
from ansim.sites.operate import release

LOCK = "requirements-{kind}.lock"
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
INSTALL = """#!/bin/sh
# Installs Ansim ({kind}) from this folder alone into the folder given, or ./venv. No network is used.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
(cd "$here/release" && sha256sum --check --strict --quiet SHA256SUMS)
if [ -n "${{ANSIM_RELEASE_KEY:-}}" ]; then
  openssl pkeyutl -verify -pubin -inkey "$ANSIM_RELEASE_KEY" -rawin \\
    -in "$here/release/SHA256SUMS" -sigfile "$here/release/SHA256SUMS.sig"
else
  echo "The signature was not checked: set ANSIM_RELEASE_KEY to the PEM file of the release key." >&2
fi
python3 -m venv "${{1:-venv}}"
pip="${{1:-venv}}/bin/python -m pip --disable-pip-version-check install --quiet --no-index"
$pip --find-links "$here/wheels" --require-hashes -r "$here/release/{lock}"
$pip --no-deps "$here"/release/ansim-*.whl
"${{1:-venv}}/bin/ansim" --help > /dev/null && echo "Installed. Next: ${{1:-venv}}/bin/ansim doctor"
"""


def make(folder: Path, kind: str, output: Path, key: Ed25519PublicKey, *, wheels: Path | None = None) -> list[str]:
    """Write the bundle of a verified release; gives the names of its wheels. wheels: a folder that has them already,
    else pip fetches them. Raises Problem if the release is not genuine or a wheel is none that the lock names."""
    names = release.verify(folder, key)
    lock = LOCK.format(kind=kind)
    if lock not in names:
        raise Problem("no-lock", N_("The release has no lock for {kind}."), kind=kind)
    with tempfile.TemporaryDirectory() as place:
        if wheels is None:
            wheels = Path(place)
            fetch(folder / lock, wheels)
        files = sorted(wheels.glob("*.whl"))
        _known(files, (folder / lock).read_text("utf-8"))
        script = INSTALL.format(kind=kind, lock=lock).encode()
        temporary = output.with_name(f".{output.name}.part")
        with tarfile.open(temporary, "w") as tar:
            _add(tar, "install.sh", script, 0o755)
            for name in (*names, release.SUMS, release.SIGNATURE):
                _add_file(tar, f"release/{name}", folder / name)
            for file in files:
                _add_file(tar, f"wheels/{file.name}", file)
        temporary.replace(output)
    return [file.name for file in files]


def fetch(lock: Path, target: Path) -> None:
    """Every wheel of a lock, from the package index that this machine's pip is set up for."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--require-hashes"]
    command += ["--only-binary", ":all:", "--no-deps", "-r", str(lock), "-d", str(target)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        raise Problem(
            "no-wheels",
            N_("pip did not bring the wheels: {reason}"),
            reason=last,
            remedy=N_("Set pip up for your index (pip config), or give a folder of wheels with --wheels."),
        )


def _known(files: list[Path], lock: str) -> None:
    known = set(HASH.findall(lock))
    for file in files:
        if digest(file) not in known:
            raise Problem("unknown-wheel", N_("{name} is not the file that the lock names."), name=file.name)
    have = {file.name.split("-")[0].replace("_", "-").replace(".", "-").lower() for file in files}
    missing = sorted(name for name in _names(lock) if re.sub(r"[-_.]+", "-", name).lower() not in have)
    if missing:
        raise Problem("missing-wheels", N_("Wheels are missing: {names}."), names=", ".join(missing))


def _names(lock: str) -> Iterator[str]:
    for line in lock.splitlines():
        if found := re.match(r"([A-Za-z0-9][\w.-]*)==", line):
            yield found[1]


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    about = tarfile.TarInfo(name)  # no time, no owner: the same release makes the same bundle, byte for byte
    about.size, about.mode = len(content), mode
    tar.addfile(about, io.BytesIO(content))


def _add_file(tar: tarfile.TarFile, name: str, file: Path) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = file.stat().st_size, 0o644
    with file.open("rb") as stream:
        tar.addfile(about, stream)
