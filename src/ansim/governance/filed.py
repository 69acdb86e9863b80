"""Files that pass the airlock, in or out: what is said of them when they are filed, and what a check found."""

from collections.abc import Sequence

from ansim.errors import N_
from ansim.governance.core import is_digest, require


def require_files(by: str, members: Sequence[str], files: Sequence[dict], purpose: str) -> None:
    """Filed by a member of the project, with a purpose; each file has a name and its SHA-256. Raises Problem."""
    require(by in members, "not-a-member", N_("{person} is not a member."), person=by)
    require(files, "no-files", N_("Choose at least one file."), where="files")
    require(purpose.strip(), "no-context", N_("Say what the files are for."), where="purpose")
    for number, file in enumerate(files):
        holds = isinstance(file, dict) and file.get("name") and is_digest(file.get("sha256"))
        require(holds, "file", N_("A file needs its name and SHA-256."), where=f"files.{number}")


def require_findings(findings: Sequence[dict], files: Sequence[dict], levels: Sequence[str]) -> None:
    """Each finding names one of the files and one of the levels. Raises Problem."""
    names = {file["name"] for file in files}
    for number, finding in enumerate(findings):
        holds = finding.get("level") in levels and finding.get("file") in names
        require(holds, "finding", N_("A finding needs a file and a level."), where=f"findings.{number}")
