"""Files of a workspace at rest: sealed with a key of that workspace, which the key process keeps and destroys.

    workspaces/<agreement>/room/<sha256>, room.sealed     the prepared parts and what scripts read, as one sealed tar
    …/lab/*.sealed, …/runs/<run>/*                        members' work folders, files of runs, each sealed by itself

Destroying the key makes every copy of every sealed file unreadable at once, backups included, wherever a disk put them.
In clear the data lie in memory only (a tmpfs), for as long as something is done with them; swap has to be off or
encrypted. Small files are one ChaCha20-Poly1305 message (RFC 8439) bound to their name; the tar is in the chunked form
of bulk data, its own key sealed. Files of output requests and of an extract on its way into a part are not sealed.
"""

import json
import os
import secrets
import shutil
import tarfile
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ansim.errors import N_, Problem
from ansim.sites.centre import workspaces
from ansim.sites.centre.sandbox.run import PREFIX
from ansim.sites.config import site
from ansim.sites.exchange import bulk, post

NONCE = 12
PARTS = ("prepared", "data")
_locks: dict[str, threading.RLock] = defaultdict(threading.RLock)


def memory() -> Path:
    """Where data may lie in clear: a file system in memory. Raises Problem where there is none."""
    place = Path(str(site().options.get("memory_folder", "/dev/shm")))  # noqa: S108
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    if not any(each[1] == str(place) and each[2] in {"tmpfs", "ramfs"} for each in mounts):
        raise Problem(
            "no-memory-disk",
            N_("{place} is no file system in memory, so the data are not opened."),
            place=str(place),
            remedy=N_("Mount a tmpfs and name it as memory_folder in the site's options."),
        )
    return place


def _box(key: str) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(bytes.fromhex(post.keeper().call("workspace_key", project=key)))


def seal(key: str, place: Path, content: bytes) -> None:
    """Write content (one piece of at most some hundred megabytes) sealed for a workspace; whole or not at all."""
    nonce = secrets.token_bytes(NONCE)
    place.parent.mkdir(parents=True, exist_ok=True)
    work = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    work.write_bytes(nonce + _box(key).encrypt(nonce, content, place.name.encode()))
    work.replace(place)


def unseal(key: str, place: Path) -> bytes:
    """What was sealed. Raises Problem if a byte was changed, another file put there, or the key destroyed."""
    body = place.read_bytes()
    try:
        return _box(key).decrypt(body[:NONCE], body[NONCE:], place.name.encode())
    except (InvalidTag, ValueError) as error:
        raise Problem(
            "sealed", N_("{name} cannot be opened: it was changed, or its key was destroyed."), name=place.name
        ) from error


def _named(key: str) -> Path:
    return workspaces.folder(key, "room.sealed")


@contextmanager
def opened(key: str, *, change: bool = False) -> Iterator[Path]:
    """A folder in memory with `prepared` and `data` of a workspace, and `received` as it lies; gone afterwards.

    change: what was done there is sealed again, if nothing went wrong; one at a time.
    """
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=memory()))
    try:
        with _locks[key]:
            if _named(key).exists():
                _restore(key, place)
            if not change:
                pass  # readers need no lock while they read
            else:
                (place / "received").symlink_to(workspaces.folder(key, "received"))
                yield place
                _keep(key, place)
        if not change:
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _restore(key: str, place: Path) -> None:
    told = json.loads(unseal(key, _named(key)))
    tar = place / ".tar"
    bulk.decrypt(workspaces.folder(key, "room", told["blob"]), told["key"], tar)
    with tarfile.open(tar) as archive:
        archive.extractall(place, filter="data")
    tar.unlink()


def _keep(key: str, place: Path) -> None:
    tar = place / ".tar"
    with tarfile.open(tar, "w") as archive:
        for part in PARTS:
            if (place / part).exists():
                archive.add(place / part, part)
    room = workspaces.folder(key, "room")
    blob, content_key = bulk.encrypt(tar, room)
    seal(key, _named(key), json.dumps({"blob": blob, "key": content_key}).encode())
    for old in room.iterdir():
        if old.name != blob:
            old.unlink()


def opens(key: str) -> bool:
    """Whether the sealed data of a workspace can be opened: no more once its key is destroyed."""
    try:
        unseal(key, _named(key))
    except (Problem, OSError):
        return False
    return True
