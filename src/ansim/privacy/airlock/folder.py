"""A folder of output files as it lies on a disk: what is checked is what was opened, and nothing is followed.

A site takes files out of its sandbox through a tar of plain files, so links, attributes, modes and times never come
along. Here they are findings instead, because whoever copies a folder by other means would carry them.
"""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.privacy.airlock import acro
from ansim.privacy.disclosure.files import FileReport, check_file
from ansim.privacy.disclosure.files_findings import FileFinding
from ansim.privacy.disclosure.policy import Policy

MOST_FILES = 1000
_MOST_DEPTH = 6
_IGNORED_ATTRIBUTES = ("security.selinux",)  # a label of the system, not of a person


@dataclass(frozen=True)
class FolderReport:
    """files: one report each, by name. claims: what ACRO's results.json says of them, compared. verdict as of a file:
    "refuse" if any finding refuses, else "human"; a folder is never passed by a machine."""

    policy: Policy
    files: tuple[FileReport, ...]
    claims: tuple[acro.Claim, ...] = ()

    @property
    def verdict(self) -> str:
        return "refuse" if any(report.verdict == "refuse" for report in self.files) else "human"

    def as_data(self) -> dict[str, Any]:
        return {
            "ansim": "airlock-report/1",
            "policy": digest(self.policy.as_data()),
            "verdict": self.verdict,
            "files": [report.as_data() for report in self.files],
            "claims": [claim.as_data() for claim in self.claims],
        }


def check_folder(folder: Path, policy: Policy) -> FolderReport:
    """Check every entry below a folder. Raises Problem if it is none."""
    if folder.is_symlink() or not folder.is_dir():
        raise Problem("no-folder", N_("{folder} is no folder."), where=str(folder), folder=folder.name)
    entries = sorted(_entries(folder))
    claimed = acro.read(folder)
    reports = [_entry(folder, name, policy, claimed) for name in entries[:MOST_FILES]]
    if len(entries) > MOST_FILES:
        text, remedy = N_("The folder has {count} entries; at most {most} leave at once."), N_("Ask for fewer files.")
        facts = {"count": len(entries), "most": MOST_FILES}
        reports.append(FileReport(".", "", 0, (FileFinding("too-many-files", "", text, remedy, facts),)))
    return FolderReport(policy, tuple(reports), tuple(acro.compare(claimed, reports)) if claimed else ())


def _entries(folder: Path, inside: str = "") -> Iterator[str]:
    """Names of everything that is no folder, and of folders that are too deep to go into."""
    with os.scandir(folder / inside) as found:
        for entry in found:
            name = f"{inside}{entry.name}"
            if not entry.is_dir(follow_symlinks=False) or name.count("/") + 1 >= _MOST_DEPTH:
                yield name
            else:
                yield from _entries(folder, f"{name}/")


def _entry(folder: Path, name: str, policy: Policy, claimed: "acro.Claimed | None") -> FileReport:
    shown = name.encode("utf-8", "backslashreplace").decode()
    kind = PurePosixPath(shown).suffix.lstrip(".").lower()
    try:
        number = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return FileReport(shown, kind, 0, (_unopened(folder / name),))
    with os.fdopen(number, "rb") as stream:
        facts = os.fstat(number)
        if not stat.S_ISREG(facts.st_mode):
            return FileReport(shown, kind, 0, (_special("folder" if stat.S_ISDIR(facts.st_mode) else "device"),))
        outside = (*_attributes(number, facts), *_name(name))
        content = stream.read(policy.max_file_bytes + 1)
    if claimed and name in claimed.own:
        return FileReport(shown, kind, facts.st_size, (*outside, acro.own_file()))
    report = check_file(shown, content, policy)
    return FileReport(shown, report.kind, facts.st_size, (*outside, *report.findings), digest=acro.sha256(content))


def read(folder: Path, report: FileReport, policy: Policy) -> bytes:
    """The bytes that were checked. Raises Problem if the file is another one by now."""
    with open(
        os.open(folder / report.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
    ) as stream:
        content = stream.read(policy.max_file_bytes + 1)
    if acro.sha256(content) != report.digest:
        raise Problem("files-changed", N_("The file was changed while it was checked."), where=report.name)
    return content


def _unopened(place: Path) -> FileFinding:
    facts = os.lstat(place)
    if stat.S_ISLNK(facts.st_mode):
        return FileFinding(
            "symlink",
            "",
            N_("This is a link to another place, not a file."),
            N_("Put a copy of the file here, if it is a result."),
        )
    if stat.S_ISSOCK(facts.st_mode):
        return _special("socket")
    return FileFinding("unreadable", "", N_("The file cannot be opened."), N_("Make it readable, or take it out."))


def _special(what: str) -> FileFinding:
    return FileFinding(
        "special-file",
        "",
        N_("This is no plain file ({what})."),
        N_("Take it out; only plain files leave."),
        {"what": what},
    )


def _attributes(number: int, facts: os.stat_result) -> Iterator[FileFinding]:
    """What a file system keeps beside the content."""
    if facts.st_nlink > 1:
        yield FileFinding(
            "hard-link",
            "",
            N_("{count} names lead to this file; it may be a file of somewhere else."),
            N_("Put a copy of the file here."),
            {"count": facts.st_nlink},
        )
    if facts.st_mode & 0o7000:
        yield FileFinding(
            "special-bits", "", N_("The file would run as somebody else."), N_("Take the set-id and sticky bits off.")
        )
    named = [name for name in _listed(number) if name not in _IGNORED_ATTRIBUTES]
    if named:
        yield FileFinding(
            "xattr",
            ", ".join(named)[:120],
            N_("{count} extended attributes hang on the file; nobody sees them."),
            N_("Write the file anew, without attributes (cp --no-preserve=xattr)."),
            {"count": len(named)},
        )


def _listed(number: int) -> list[str]:
    try:
        return os.listxattr(number)
    except OSError:  # this file system has none
        return []


def _name(name: str) -> Iterator[FileFinding]:
    odd = any(not one.isprintable() or unicodedata.category(one) in ("Cf", "Cs") for one in name)
    if odd or any(part.startswith(".") or part != part.strip() for part in name.split("/")):
        yield FileFinding(
            "file-name",
            "",
            N_("The name is hidden, or has characters that are not seen."),
            N_("Use letters, digits, hyphens and one full stop."),
        )
