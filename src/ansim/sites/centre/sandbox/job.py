"""What a sandbox is asked to run, within which limits, and what came of it."""

from dataclasses import dataclass, field
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """wall, cpu in seconds (cpu per process); sizes in bytes; files counts delivered outputs."""

    wall: float = 300
    cpu: int = 300
    memory: int = 2048 * MIB
    file_size: int = 64 * MIB
    files: int = 200
    processes: int = 64
    output: int = 128 * MIB
    scratch: int = 256 * MIB
    text: int = 64 * 1024


@dataclass(frozen=True)
class SandboxJob:
    """code and data are folders of regular files; script is a path inside code; out receives the accepted files.

    packages: a folder made by prepare_package_set. uid: who runs it when root starts it.
    """

    code: Path
    data: Path
    out: Path
    script: str = "main.py"
    packages: Path | None = None
    limits: Limits = field(default_factory=Limits)
    uid: int = 65534
    staging_root: Path | None = None


@dataclass(frozen=True)
class Refused:
    name: str
    reason: str


@dataclass(frozen=True)
class SandboxResult:
    """status: done, failed, timeout, cancelled. stdout and stderr are outputs too: they need review before release."""

    status: str
    exit_code: int | None
    seconds: float
    stdout: str
    stderr: str
    text_truncated: bool
    files: tuple[str, ...]
    refused: tuple[Refused, ...]
    isolation: dict
    needs_review: tuple[str, ...] = ("stdout", "stderr", "files")
