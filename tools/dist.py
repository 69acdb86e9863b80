"""A release in a folder: the wheel, one lock with hashes for each kind of site, the bill of materials, sums, signature.

ANSIM_RELEASE_KEY names the release key (a file of `ansim key new`); ANSIM_KEY_PASSPHRASE_FILE its passphrase. Without a
key the folder is not signed: good for looking at, and refused by `ansim verify-dist`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import materials

from ansim.cli.signing import unwrap
from ansim.sites.keeper.keystore import signing_key
from ansim.sites.operate import release
from ansim.sites.web import words

ROOT = Path(__file__).parents[1]


def committed() -> int:
    """When the commit was made, in seconds: the time of all that is made from it."""
    git = ["git", "log", "-1", "--format=%ct"]
    return int(subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def wheel(target: Path) -> Path:
    """The wheel, the same bytes for the same commit."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target.resolve())],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(committed())},
        check=True,
        capture_output=True,
    )
    return next(target.glob("ansim-*.whl"))


def build(target: Path) -> Path:
    """The release but for sums and signature; gives the wheel."""
    shutil.rmtree(target, ignore_errors=True)
    words.compile_catalogue()
    target.mkdir(parents=True)
    made = wheel(target)
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    whole: dict[str, set[str]] = {}
    for kind in materials.KINDS:
        graph = materials.closure(materials.wanted(ROOT / "pyproject.toml", kind))
        (target / f"requirements-{kind}.lock").write_text(materials.lock_of(lock, graph), "utf-8")
        for name, needs in graph.items():
            whole.setdefault(name, set()).update(needs)
    at = datetime.fromtimestamp(committed(), UTC)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    (target / "sbom.cdx.json").write_text(materials.bill(lock, whole, version, digest, at), "utf-8")
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, target)
    return made


def main(target: Path) -> None:
    build(target)
    sign = None
    if file := os.environ.get("ANSIM_RELEASE_KEY"):
        key = signing_key(unwrap(Path(file), Path(os.environ["ANSIM_KEY_PASSPHRASE_FILE"]).read_bytes().strip()))
        sign = key.sign
        told = target.parent / "ansim-release.pem"
        told.write_bytes(release.pem(key.public_key()))
        print(f"The public half is in {told}: publish it by another way than the release.")
        print(f"Its fingerprint: {release.fingerprint(key.public_key())}")
    for name in release.write_sums(target, sign):
        print(f"  {name}")
    print("Signed." if sign else "NOT SIGNED: set ANSIM_RELEASE_KEY (see docs/operations/release.md).")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
