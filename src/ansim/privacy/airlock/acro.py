"""ACRO's results.json, read as a claim and never trusted; and one written of our own report.

Form: AI-SDC/ACRO 0.4.x, acro/record.py (`Records.finalise_json`, `write_checksums`): `results` holds, by uid, status
(pass, fail, review), type, files [{name, sdc}], command, summary, exception, comments; SHA-256 of each file stands in
checksums/NAME.txt. ACRO counts rows where people are meant and looks at one table at a time, and whoever made the
folder could have written anything, so its "pass" never changes our verdict: we say where the two differ.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ansim.errors import N_
from ansim.privacy.disclosure.files import FileReport
from ansim.privacy.disclosure.files_findings import FileFinding

RESULTS = "results.json"
SUMS = "checksums"
_STATUS = ("pass", "fail", "review")
_MOST = 32 * 1024 * 1024


@dataclass(frozen=True)
class Claimed:
    """status: {file: claimed status}; sums: {file: claimed SHA-256}; own: ACRO's own files, which never leave."""

    status: Mapping[str, str]
    exceptions: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Claim:
    """agrees: whether the claim is at least as strict as our own finding and the file is the one that was claimed.
    note: "agrees", "laxer" (ACRO lets pass what we refuse), "changed" (other bytes), "missing", "unclaimed"."""

    file: str
    claimed: str
    ours: str
    note: str
    exception: str = ""

    @property
    def agrees(self) -> bool:
        return self.note == "agrees"

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(folder: Path) -> Claimed | None:
    """The claims of a folder that ACRO finalised; None where there is no such file, or one of another form."""
    place = folder / RESULTS
    if place.is_symlink() or not place.is_file() or place.stat().st_size > _MOST:
        return None
    try:
        document = json.loads(place.read_text("utf-8"))
        listed = document["results"].values()
        status, exceptions = {}, {}
        for one in listed:
            for file in one["files"]:
                status[str(file["name"])] = one["status"] if one["status"] in _STATUS else "review"
                exceptions[str(file["name"])] = str(one.get("exception") or "")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        return None
    sums, own = _sums(folder)
    return Claimed(status, exceptions, sums, frozenset({RESULTS, *own}))


def _sums(folder: Path) -> tuple[dict[str, str], list[str]]:
    sums, own, place = {}, [], folder / SUMS
    if place.is_symlink() or not place.is_dir():
        return {}, []
    for file in place.iterdir():
        if file.suffix == ".txt" and not file.is_symlink() and file.is_file() and file.stat().st_size < 200:
            text = file.read_bytes().decode("ascii", "replace").strip().lower()
            if len(text) == 64 and set(text) <= set("0123456789abcdef"):  # anything else is a file like any other
                sums[file.name.removesuffix(".txt")] = text
                own.append(f"{SUMS}/{file.name}")
    return sums, own


def own_file() -> FileFinding:
    return FileFinding(
        "acro-claim",
        "",
        N_("ACRO's own record is read as a claim; it is for the checkers and does not leave."),
        N_("Leave it out of the release."),
        refuses=False,
    )


def compare(claimed: Claimed, reports: Sequence[FileReport]) -> Iterator[Claim]:
    """What ACRO claims of each file beside what we found."""
    ours = {report.name: report for report in reports if report.name not in claimed.own}
    for name, status in claimed.status.items():
        report, exception = ours.get(name), claimed.exceptions.get(name, "")
        if report is None:
            yield Claim(name, status, "", "missing", exception)
        elif claimed.sums.get(name, report.digest) != report.digest:
            yield Claim(name, status, report.verdict, "changed", exception)
        else:
            laxer = status == "pass" and report.verdict == "refuse"
            yield Claim(name, status, report.verdict, "laxer" if laxer else "agrees", exception)
    for name in sorted(set(ours) - set(claimed.status)):
        yield Claim(name, "", ours[name].verdict, "unclaimed")


def write(reports: Sequence[FileReport], now: datetime, version: str) -> dict[str, Any]:
    """Our report in ACRO's form, so that its viewer can show it. A file is "fail" or "review", never "pass": nobody
    knows the people behind its numbers."""
    results = {}
    for number, report in enumerate(reports):
        rules = list(dict.fromkeys(finding.rule for finding in report.findings))
        results[f"output_{number}"] = {
            "uid": f"output_{number}",
            "status": "fail" if report.verdict == "refuse" else "review",
            "type": "custom",
            "properties": {"method": "ansim airlock check", "kind": report.kind},
            "files": [{"name": report.name, "sdc": {"findings": [one.as_data() for one in report.findings]}}],
            "outcome": {},
            "command": "custom",
            "summary": "; ".join([report.verdict, *rules]),
            "timestamp": now.isoformat(),
            "comments": [str(finding.problem()) for finding in report.findings if finding.refuses][:20],
            "exception": "",
        }
    return {"version": version, "results": results}
