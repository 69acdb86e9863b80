"""The national portal: what data there are, and how many patients fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansim.client.session import Session, wait

GIVEN = {"answered", "refused", "cancelled"}


class Portal(Session):
    """Signed in at the hub."""

    def search(self, words: str = "", **filters: Any) -> list[dict]:
        """Datasets that fit, best first: [{id, holder, title: {ko, en}, people, fitting}].

        filters: holder, area, duo (a term of the Data Use Ontology), event, since (a year), people (at least).
        """
        return self.get("/catalogue/", q=words, **filters)["datasets"]

    def dataset(self, dataset: str) -> dict:
        """One dataset as its holder describes it."""
        return self.get(f"/catalogue/{dataset}/")

    def ask(
        self, query: Mapping[str, Any] | str, purpose: str, *, by: Sequence[str] = (), quorum: int = 1
    ) -> "Question":
        """Ask every hospital how many patients fit. query: query/1 or /2, a cohort definition, or ATLAS JSON; by: also
        count by "sex", "age_band", "year"; quorum: show a sum when so many have answered. Raises Refused."""
        import yaml

        text = query if isinstance(query, str) else yaml.safe_dump(dict(query), allow_unicode=True, sort_keys=False)
        done = self.do("/feasibility/new/", query=text, purpose=purpose, by=list(by), quorum=quorum)
        return Question(self, done["id"])

    def question(self, number: str) -> "Question":
        """A question of yours that was asked before."""
        return Question(self, number)

    def questions(self) -> list[str]:
        return self.get("/feasibility/")["questions"]

    def register(self) -> dict:
        """The public register of agreements and releases."""
        return self.get("/register/")


@dataclass(frozen=True)
class Question:
    """A feasibility question on its way."""

    portal: Portal
    id: str

    def answers(self) -> dict[str, dict]:
        """holder -> {status, shown, at, …}. status: waiting, down (not reachable now), answered, refused, cancelled;
        shown: a rounded count, or "<" and the threshold. Counts carry noise and people may be counted twice."""
        return self.portal.get(f"/feasibility/{self.id}/")["answers"]

    def wait(self, seconds: float = 600, *, quorum: int | None = None, pause: float = 1.0) -> dict[str, dict]:
        """The answers once so many hospitals have given one (all, when none is said). Raises Overdue."""

        def enough() -> dict[str, dict]:
            found = self.answers()
            given = sum(each["status"] in GIVEN for each in found.values())
            return found if given >= (len(found) if quorum is None else min(quorum, len(found))) else {}

        return wait(enough, seconds, f"answers to {self.id}", pause)

    def cancel(self) -> None:
        """Take the question back; answers that came stay."""
        self.portal.do(f"/feasibility/{self.id}/cancel/")
