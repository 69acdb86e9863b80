"""Files that wait at a site: written whole or not at all, overwritten before they are deleted."""

import os
from pathlib import Path


def write(file: Path, body: bytes) -> None:
    """Durably, readable by this user only, visible only when whole."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = file.with_name(f"{file.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


def erase(folder: Path, pattern: str = "*") -> None:
    """Overwrite and delete the folder's files of this pattern, and the folder when it is empty."""
    for file in folder.glob(pattern):
        with file.open("r+b") as stream:
            stream.write(bytes(file.stat().st_size))
            stream.flush()
            os.fsync(stream.fileno())
        file.unlink()
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
