"""Output requests: automatic findings, two blind checkers, the export review of linked data, then the release.

Sole road out of the centre. A file with a table/1 is made again by the centre on the admitted people and must show
what the protected table shows; any other file goes to people, and what no person may wave through is refused.
"""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance.output import Check, RecordFindings, ReviewExport, Settle, Submit, Withdraw, output
from ansim.privacy.airlock.beside import Difference, compare
from ansim.privacy.airlock.safe import as_findings, make_safe
from ansim.privacy.disclosure.files import check_file
from ansim.privacy.disclosure.files_findings import FileFinding
from ansim.privacy.disclosure.memory import Asker
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import as_csv
from ansim.sites import clock
from ansim.sites.centre import agreements, exports, joining, memory, runs, tables, vault, workspaces
from ansim.sites.config import site
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

NOTES = "output-check"  # what the checkers see beside the aggregate; deleted with the workspace


def get(name: str) -> dict:
    found = Record.objects.filter(kind="output", key=name).first()
    if found is None:
        raise Problem("no-output", N_("There is no such output request."))
    return found.data


def notes(name: str) -> dict:
    found = Record.objects.filter(kind=NOTES, key=name).first()
    return found.data if found else {}


def of(key: str) -> list[Record]:
    return list(Record.objects.filter(kind="output", data__project=key).order_by("-updated"))


def place(key: str, name: str) -> Path:
    return workspaces.folder(key, "outputs", name)


def from_run(key: str, member: str, run: str, files: list[str], context: str, given: Any, parts: Any = None) -> str:
    """A member asks for files of a run. given: {file: table/1}; parts: {file: part} where not the default frame."""
    agreements.admit(key, member, "output")
    data = runs.get(key, run)
    listed = {each["name"]: each for each in data["files"]}
    strange = [name for name in files if name not in listed]
    if strange or not files:
        raise Problem("no-files", N_("Choose files of this run."), where="files")
    specs = {name: tables.specification(spec).as_data() for name, spec in (given or {}).items() if spec}
    if set(specs) - set(files):
        raise Problem("no-files", N_("A specification belongs to no chosen file."), where="tables")
    bodies = {}
    for name in files:
        body = vault.unseal(key, runs.place(key, run) / name)
        if hashlib.sha256(body).hexdigest() != listed[name]["sha256"]:
            raise Problem("files-changed", N_("The files are not the ones that the run made."), where="files")
        bodies[name.replace("/", "__")] = body
    return submit(
        key,
        member,
        bodies,
        context,
        {"run": run, "parts": parts or {}, "tables": {name.replace("/", "__"): spec for name, spec in specs.items()}},
    )


def submit(
    key: str, member: str, bodies: dict[str, bytes], context: str, facts: dict, *, machine: list[dict] | None = None
) -> str:
    """Put files forward for release. machine: findings that are known already (a federated result)."""
    terms = agreements.require_in_force(key)
    name = f"out-{secrets.token_hex(6)}"
    folder = place(key, name)
    folder.mkdir(parents=True)
    for file, body in bodies.items():
        (folder / file).write_bytes(body)
    files = [
        {"name": file, "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)} for file, body in bodies.items()
    ]
    linked = joining.LINKED in workspaces.readable(workspaces.get(key)) and machine is None
    with transaction.atomic():
        command = Submit(
            by=member,
            project=key,
            members=[each["id"] for each in terms["members"]],
            files=files,
            purpose=context,
            linked=linked,
            board=int(site().options.get("export_board", 1)),
        )
        ledger.execute(output, name, command, actor=member)
        ledger.record(NOTES, name, {**facts, "machine": machine, "reports": {}})
        jobs.queue("check-output", name, {"output": name, "agreement": key})
    return name


def safe_version(name: str, member: str) -> str:
    """The same request with each file replaced by its safe version; what else was refused is left out.

    A table with a specification becomes the protected table of the people; any other file what a machine can make of
    the file alone, and the checkers read what was done to it.
    """
    data, held = get(name), notes(name)
    if member not in data["members"]:
        raise Problem("not-a-member", N_("{person} is not a member."), person=member)
    agreements.admit(data["project"], member, "output")
    refused = {finding["file"] for finding in data["findings"] if finding["level"] == "refuse"}
    folder, bodies = place(data["project"], name), {}
    facts: dict[str, Any] = {"run": held.get("run", ""), "parts": {}, "tables": {}, "made": {}, "safe_of": name}
    for file in data["files"]:
        report = held["reports"].get(file["name"], {})
        target = f"{Path(file['name']).stem}.csv" if report.get("spec") else file["name"]
        if report.get("safe"):
            bodies[target] = (folder / ".safe" / file["name"]).read_bytes()
            facts["made"][target] = report.get("made", [])
        elif file["name"] not in refused:
            bodies[file["name"]] = (folder / file["name"]).read_bytes()
        if report.get("safe") and report.get("spec"):
            facts["tables"][target] = report["spec"]
            facts["parts"] |= {target: part} if (part := held.get("parts", {}).get(file["name"])) else {}
    if not bodies or not facts["made"] or data["status"] not in ("refused", "checking"):
        raise Problem(
            "no-safe-version",
            N_("There is no safe version of these files."),
            remedy=N_("Submit a table with its specification."),
        )
    with transaction.atomic():
        if data["status"] == "checking":  # nobody has to judge what its author has replaced
            ledger.execute(output, name, Withdraw(by=member, reason="replaced by its safe version"), actor=member)
        return submit(data["project"], member, bodies, data["purpose"], facts)


@dataclass(frozen=True)
class Beside:
    """A table of a request and one of an earlier release that have `common` cells; `cells` are those that differ."""

    file: str
    release: str
    common: int
    cells: list[Difference]


def beside(data: dict, name: str, threshold: int) -> list[Beside]:
    """The newest three pairs of tables of this request and of earlier releases that show the same rows and columns."""
    found: list[Beside] = []
    earlier = [each for each in of(data["project"]) if each.status in ("released", "revoked") and each.key != name]
    for file in [each["name"] for each in data["files"] if each["name"].endswith(".csv")]:
        now = (place(data["project"], name) / file).read_bytes()
        for record in earlier:
            for old in [each["name"] for each in record.data["files"] if each["name"].endswith(".csv")]:
                there = place(data["project"], record.key) / old
                both = compare(there.read_bytes(), now, threshold) if there.exists() else None
                if both and len(found) < 3:
                    found.append(Beside(file, record.key, *both))
    return found


def asker(data: dict) -> Asker:
    return Asker(data["author"], data["author"].rpartition("@")[2])


def frame(key: str, part: str = "") -> Any:
    import pyarrow.parquet as pq

    admitted = workspaces.readable(workspaces.get(key))
    if part and part not in admitted:
        raise Problem("no-part", N_("The workspace has no part {part}."), where="tables", part=part)
    with vault.opened(key) as space:
        if part:
            return pq.read_table(space / "prepared" / part / "frame.parquet")
        return joining.default_frame(space, admitted)


def _check(payload: dict) -> dict[str, Any]:
    name, key = payload["output"], payload["agreement"]
    data, held = get(name), notes(name)
    terms, folder = agreements.terms(key), place(key, name)
    if held["machine"] is not None:
        return {"findings": held["machine"], "reports": {}}
    rules = agreements.policy(terms)
    findings: list[dict] = []
    reports: dict[str, dict] = {}
    for file in data["files"]:
        content = (folder / file["name"]).read_bytes()
        if spec := held["tables"].get(file["name"]):
            report, found = _table(key, data, file["name"], content, spec, held["parts"].get(file["name"], ""), folder)
        else:
            report, found = _by_people(file["name"], content, rules, folder)
            found += (held.get("made") or {}).get(file["name"], [])
        findings += found
        reports[file["name"]] = report
    return {"findings": findings, "reports": reports}


def _by_people(file: str, content: bytes, rules: Policy, folder: Path) -> tuple[dict, list[dict]]:
    """A file of which the people are unknown: what forbids it, and its safe version where there is one."""
    checked, safe = check_file(file, content, rules), make_safe(file, content, rules)
    report = {"route": "people", **checked.as_data(), "safe": safe.changed}
    if safe.changed and safe.content is not None:
        (folder / ".safe").mkdir(exist_ok=True)
        (folder / ".safe" / file).write_bytes(safe.content)
        report["made"] = [_finding(file, each) for each in as_findings(safe)]
    note = N_("The people behind this file are not known here: people judge it.")
    unknown = {"file": file, "level": "look", "code": "people-unknown", "place": "", "message": note, "text": note}
    return report, [*(_finding(file, each) for each in checked.findings), unknown]


def _finding(file: str, found: FileFinding) -> dict:
    return {
        "file": file,
        "level": "refuse" if found.refuses else "look",
        "code": found.rule,
        "place": found.place,
        "message": str(found.problem()),
        "text": found.text,
        "remedy": found.remedy,
        "facts": found.facts,
    }


def _table(
    key: str, data: dict, file: str, content: bytes, given: dict, part: str, folder: Path
) -> tuple[dict, list[dict]]:
    """A file against the protected table that the centre makes by the specification."""
    terms = agreements.terms(key)
    rules = agreements.policy(terms)
    try:
        spec = tables.specification(given)
        with memory.LOCK:
            _table_again, released = tables.remake(frame(key, part), spec, rules, memory.of(key, rules), asker(data))
    except Problem as problem:
        found = {"file": file, "level": "refuse", "code": problem.code, "place": "", "message": str(problem)}
        return {"route": "machine", "spec": given, "safe": False}, [found]
    found_cells = list(tables.compare(content, file, released))
    if released.refused:
        found_cells.append(
            {
                "file": file,
                "level": "refuse",
                "code": "nothing-shown",
                "place": "",
                "message": N_("Nothing of this table may be shown."),
                "text": N_("Nothing of this table may be shown."),
            }
        )
    report = {
        "route": "machine",
        "spec": given,
        "equal": not found_cells,
        "safe": not released.refused,
        "part": part,
        "protected": released.as_data(),
        "reasons": tables.reasons(released),
    }
    if not released.refused:
        (folder / ".safe").mkdir(exist_ok=True)
        (folder / ".safe" / file).write_bytes(as_csv(released))
    if not found_cells:
        note = N_("The centre made this table again and it shows the same, protected numbers.")
        found_cells = [
            {"file": file, "level": "note", "code": "machine-checked", "place": "", "message": note, "text": note}
        ]
    return report, found_cells


def _checked(payload: dict, found: dict) -> None:
    """On the ledger: which rule at which place. The numbers themselves stay off it, in the checkers' notes."""
    name = payload["output"]
    if get(name)["status"] != "submitted":
        return
    short = [{part: each[part] for part in ("file", "level", "code")} for each in found["findings"]]
    once = [dict(pairs) for pairs in dict.fromkeys(tuple(each.items()) for each in short)]
    for each in once:
        same = [one for one in found["findings"] if all(one[part] == each[part] for part in ("file", "level", "code"))]
        each |= {"count": len(same), "message": each["code"]}
    ledger.execute(output, name, RecordFindings(by="checks", findings=once), actor="checks")
    ledger.record(NOTES, name, {**notes(name), **found})


jobs.job("check-output", finish=_checked)(_check)


def review(name: str, person: str, *, release: bool, reason: str) -> dict:
    """One checker's view. The second agreeing one lets unlinked files go."""
    data = get(name)
    checker = agreements.member_of(person, agreements.require_in_force(data["project"]))
    with transaction.atomic():
        state = ledger.execute(output, name, Check(by=checker, release=release, reason=reason), actor=checker)
        _go_on(name, state)
    return state.as_data()


def settle(name: str, person: str, *, release: bool, reason: str) -> dict:
    """A senior checker decides where the two differ."""
    data = get(name)
    senior = agreements.member_of(person, agreements.require_in_force(data["project"]))
    with transaction.atomic():
        state = ledger.execute(output, name, Settle(by=senior, release=release, reason=reason), actor=senior)
        _go_on(name, state)
    return state.as_data()


def review_export(name: str, person: str, given: dict) -> dict:
    """The export review of files from linked data."""
    data = get(name)
    reviewer = agreements.member_of(person, agreements.require_in_force(data["project"]))
    with transaction.atomic():
        state = ledger.execute(
            output, name, ReviewExport(by=reviewer, criteria=exports.criteria(given)), actor=reviewer
        )
        _go_on(name, state)
    return state.as_data()


def _go_on(name: str, state: Any) -> None:
    if state.status == "exportable" or (state.status == "agreed" and not state.linked):
        jobs.queue("release", name, {"output": name, "agreement": state.project, "at": clock.iso(clock.now())})
