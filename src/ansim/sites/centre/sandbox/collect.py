"""Take files out of a sandbox's tar: hostile input, of which only plain files with plain names pass."""

import re
import tarfile
from pathlib import Path
from typing import IO

from .job import Limits, Refused

PART = re.compile(r"[\w가-힣][\w가-힣 .()+-]{0,119}")


def name_problem(name: str) -> str:
    """Why this relative path is refused, or an empty string."""
    parts = name.split("/")
    if len(parts) > 6 or len(name.encode("utf-8", "surrogateescape")) > 300:
        return "name is too long or too deep"
    if not all(PART.fullmatch(part) and part == part.strip() for part in parts):
        return "name has characters that are not allowed"
    return ""


def extract(stream: IO[bytes], target: Path, limits: Limits) -> tuple[tuple[str, ...], tuple[Refused, ...]]:
    """Extract accepted files into target; give (names, refused). Never follows or makes links, never overwrites."""
    accepted: list[str] = []
    refused: list[Refused] = []
    total = 0
    current: Path | None = None  # a file that is cut off is not an output
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for count, member in enumerate(archive):
                if count >= 4 * limits.files:
                    refused.append(Refused("…", "too many entries"))
                    break
                name = member.name.removeprefix("./")
                if name in ("", ".") or (member.isdir() and not name_problem(name)):
                    continue
                reason = _problem(member, name, target, limits, len(accepted), total)
                if reason:
                    refused.append(Refused(ascii(name)[1:-1][:200], reason))
                    continue
                member.name, member.mode = name, 0o600
                current = target / name
                archive.extract(member, target, set_attrs=False, filter="data")
                current = None
                accepted.append(name)
                total += member.size
    except (tarfile.TarError, OSError, ValueError) as error:
        if current is not None:
            current.unlink(missing_ok=True)
        refused.append(Refused("…", f"the output could not be read to its end ({type(error).__name__})"))
    return tuple(accepted), tuple(refused)


def _problem(member: tarfile.TarInfo, name: str, target: Path, limits: Limits, count: int, total: int) -> str:
    if not member.isreg() or member.issparse():
        return "not a plain file"
    if member.mode & 0o7000:
        return "set-id or sticky bit"
    if problem := name_problem(name):
        return problem
    if (target / name).exists():
        return "name occurs twice"
    if count >= limits.files:
        return "too many files"
    if member.size > limits.file_size or total + member.size > limits.output:
        return "too large"
    return ""
