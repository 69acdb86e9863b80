"""Researchers' code in isolation: run(job), what it needs (doctor), and the packages that it may import."""

from .doctor import doctor
from .job import Limits, Refused, SandboxJob, SandboxResult
from .packages import kept, prepare_package_set, walkable
from .run import run, sweep

__all__ = [
    "Limits",
    "Refused",
    "SandboxJob",
    "SandboxResult",
    "doctor",
    "kept",
    "prepare_package_set",
    "run",
    "sweep",
    "walkable",
]
