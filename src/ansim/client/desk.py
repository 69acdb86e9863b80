"""The desk of the own organisation: requests, the application, analyses under an agreement, released results."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ansim.client.session import Session, wait
from ansim.errors import N_, Problem


class Desk(Session):
    """Signed in at the desk of a company or university."""

    def request(
        self,
        *,
        title: Mapping[str, str],
        areas: Sequence[str],
        purpose: str,
        text: str,
        query: Mapping[str, Any] | str,
        holders: Sequence[str],
        use: Mapping[str, Any] | None = None,
    ) -> "Request":
        """One request to several hospitals. title: {ko, en}; areas, purpose: codes, see `choices`. Raises Refused."""
        values = {"title": dict(title), "areas": list(areas), "purpose": purpose, "text": text}
        values |= {"query": query if isinstance(query, str) else dict(query), "holders": list(holders)}
        return Request(self, self.do("/requests/new/", **values, **({"use": dict(use)} if use else {}))["id"])

    def choices(self) -> dict[str, list[str]]:
        """What a request may name: {areas, purpose, holders} and their codes."""
        fields = self.get("/requests/new/")["takes"]["properties"]
        return {
            name: each.get("enum") or each["items"]["enum"]
            for name, each in fields.items()
            if "enum" in each or "enum" in each.get("items", {})
        }

    def requests(self) -> list["Request"]:
        return [Request(self, key) for key in self.get("/")["requests"]]

    def prescreen(self, application: Mapping[str, Any]) -> list[dict]:
        """What is missing or contradictory in an application/1, before anything is sent: [{code, where, message}]."""
        return self.do("/applications/prescreen/", document=dict(application))["problems"]

    def agreements(self) -> list[str]:
        return self.get("/agreements/")["agreements"]

    def agreement(self, key: str) -> dict:
        """The paper, its terms and status, and what was asked under it: {agreement, jobs}."""
        return self.get(f"/agreements/{key}/")

    def federated(
        self, agreement: str, *, area: str, method: str, spec: Mapping[str, Any], holders: Sequence[str] | None = None
    ) -> "Job":
        """Sign a federated analysis and send it to the centre; steps up. Raises Refused."""
        values: dict[str, Any] = {"area": area, "method": method, "spec": dict(spec)}
        values |= {"holders": list(holders)} if holders else {}
        return Job(self, agreement, self.do(f"/agreements/{agreement}/federated/", **values)["id"])

    def extract(self, agreement: str, *, area: str, holders: Sequence[str] | None = None) -> "Job":
        """Sign a wish for data extracts into the centre; steps up. Raises Refused."""
        values: dict[str, Any] = {"area": area} | ({"holders": list(holders)} if holders else {})
        return Job(self, agreement, self.do(f"/agreements/{agreement}/extract/", **values)["id"])

    def releases(self) -> list["Release"]:
        return [Release(self, key) for key in self.get("/releases/")["releases"]]

    def release(self, key: str) -> "Release":
        return Release(self, key)

    def next_release(
        self, agreement: str, known: Collection[str], seconds: float = 3600, *, pause: float = 5
    ) -> "Release":
        """The first release under an agreement beyond those known (ids), after the output check. Raises Overdue."""

        def come() -> Release | None:
            new = [each for each in self.releases() if each.id not in known]
            return next((each for each in new if each.look()["agreement"] == agreement), None)

        return wait(come, seconds, f"results under {agreement}", pause)


@dataclass(frozen=True)
class Request:
    """A request to several hospitals, and what became of it."""

    desk: Desk
    id: str

    def look(self) -> dict:
        """The case: {title, holders: {id: {answer, status, waiting_on, due, thread, …}}, application, agreement, …}."""
        return self.desk.get(f"/requests/{self.id}/")["request"]

    def write(self, holder: str, text: str) -> None:
        self.desk.do(f"/requests/{self.id}/message/", holder=holder, text=text)

    def replies(self, seconds: float = 0, *, pause: float = 5.0) -> dict[str, str]:
        """holder -> "yes", "conditions" or "no", once every hospital has replied. Raises Overdue."""

        def all_in() -> dict[str, str]:
            answers = {name: each["answer"] for name, each in self.look()["holders"].items()}
            return answers if all(answers.values()) else {}

        return wait(all_in, seconds, f"replies to {self.id}", pause)

    def apply(
        self,
        protocol: Path,
        *,
        summary: Mapping[str, str],
        modes: Sequence[str],
        centre: str,
        not_before: date,
        not_after: date,
        max_persons: int,
        people: Sequence[str],
    ) -> str:
        """Compose the application from the request and this, sign it, send it sealed; gives its number. Steps up.

        summary: {ko, en}, in lay words; modes: federated, centre, extract; people: member ids. Raises Refused."""
        values = {"summary_ko": summary["ko"], "summary_en": summary["en"], "modes": list(modes), "centre": centre}
        values |= {"not_before": not_before.isoformat(), "not_after": not_after.isoformat()}
        values |= {"max_persons": str(max_persons), "people": list(people)}
        path = f"/requests/{self.id}/apply/"
        return self.desk.send_file(path, "protocol", protocol.name, protocol.read_bytes(), values)["id"]

    def submit(self, application: Mapping[str, Any]) -> str:
        """Sign and send an application/1 that you composed yourself; gives its number. Steps up. Raises Refused."""
        return self.desk.do("/applications/new/", document=dict(application), request=self.id)["id"]

    def letter(self, holder: str) -> bytes:
        """The board's letter (PDF)."""
        return self.desk.file(f"/requests/{self.id}/letters/{holder}/")


@dataclass(frozen=True)
class Job:
    """An analysis or extract that was asked for under an agreement."""

    desk: Desk
    agreement: str
    id: str

    def look(self) -> dict:
        """{id, mode, method, asked, answers: {site: {status, …}}}. Raises Problem when the desk does not know it."""
        found = [job for job in self.desk.agreement(self.agreement)["jobs"] if job["id"] == self.id]
        if not found:
            raise Problem("no-job", N_("There is no job {id} under this agreement."), id=self.id)
        return found[0]

    def refused_by(self) -> list[str]:
        """Sites that do not run it; they say no more than that."""
        return [site for site, each in self.look()["answers"].items() if each["status"] == "refused"]


@dataclass(frozen=True)
class Release:
    """Results that the centre let out, signed."""

    desk: Desk
    id: str

    def look(self) -> dict:
        """{id, at, manifest: {agreement, files: [{name, sha256}], …}, …}; the desk has verified the signature."""
        return self.desk.get(f"/releases/{self.id}/")["release"]

    def download(self, folder: Path) -> list[Path]:
        """Every file of the release, checked against the manifest before it is written; existing files stay.

        Raises Problem for a file that is not what the manifest names, or whose name leads out of the folder.
        """
        written = []
        for each in self.look()["manifest"]["files"]:
            target = folder / each["name"]
            if target.parent.resolve() != folder.resolve():
                raise Problem("bad-name", N_("{name} is not the name of a file."), name=each["name"])
            content = self.desk.file(f"/releases/{self.id}/files/{each['name']}")
            if hashlib.sha256(content).hexdigest() != each["sha256"]:
                raise Problem("file-differs", N_("{name} is not what the manifest names."), name=each["name"])
            folder.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(content)
            written.append(target)
        return written
