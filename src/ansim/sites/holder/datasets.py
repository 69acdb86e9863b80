"""Publishing what this holder has: quality, profile and description of one version of the CDM, signed and sent.

Nothing but the description leaves, and it is looked through once more against the site's own threshold before it is
signed. The quality report stays here: it counts rows.
"""

from typing import Any

from django.db import transaction

from ansim.data.catalogue.check import check_description
from ansim.data.catalogue.describe import describe
from ansim.data.profile import SMALLEST_BASE, profile
from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, signed
from ansim.sites.holder import quality, source
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Job, Record


def dataset_id() -> str:
    """A holder publishes one dataset; its versions are the SHA-256 of its CDM."""
    return f"{site().id}-omop"


def published() -> dict | None:
    """{description, by, at, signed} of the newest publication, None before the first."""
    found = Record.objects.filter(kind="dataset", key=dataset_id()).first()
    return found.data if found else None


def conditions() -> dict | None:
    """The conditions of use that the steward set; None before. (Shapes: governance.purpose.)"""
    found = Record.objects.filter(kind="conditions", key=dataset_id()).first()
    return found.data if found else None


def announce(description: dict) -> None:
    """Send the signed description to the portal."""
    post.send("dataset.publish", {"description": description}, to=site().hub)


def under_way() -> bool:
    return Job.objects.filter(kind="publish", state__in=["queued", "leased"]).exists()


def words() -> dict[str, Any]:
    """Title, description and keywords as they stand in site.toml under [options.dataset], or what the name gives."""
    given, name = site().options.get("dataset", {}), site().name
    return {
        "title": {"ko": f"{name['ko']} 공통데이터모델", "en": f"{name['en']}: data in the common data model"},
        "description": {
            "ko": f"{name['ko']}의 진료 또는 청구 기록을 OMOP CDM으로 옮긴 데이터입니다.",
            "en": f"Records of {name['en']} in the OMOP common data model.",
        },
        "keywords": {"ko": ["진료기록", "OMOP"], "en": ["health records", "OMOP"]},
        **given,
    }


def publish(person: str, said: dict | None = None) -> None:
    """Queue the publication of the CDM as it is now. said: title, description, keywords that replace `words`."""
    if under_way():
        raise Problem("publishing", N_("A publication is under way already."))
    with transaction.atomic():
        at = clock.iso(clock.now())
        ledger.note(f"dataset:{dataset_id()}", "dataset.publication-asked", actor=person)
        jobs.queue("publish", f"{at}:{person}", {"person": person, "words": {**words(), **(said or {})}})


def _make(payload: dict) -> dict:
    """The description of one version and the quality report. The file must be the same one before and after."""
    policy, now, version = Policy.from_data(site().policy), clock.now(), source.version()
    with source.connect() as con:
        results, report = quality.measure(con, version, now)
    with source.connect("") as con:  # the public figures leave out whom the patients' lists leave out
        told = profile(con, threshold=policy.threshold, base=max(SMALLEST_BASE, policy.rounding))
    if source.version() != version:
        raise jobs.Later(1.0, "the data changed while they were described")
    description = describe(
        told,
        results,
        id=dataset_id(),
        holder={"id": site().id, "name": site().name},
        version=version,
        issued=now,
        **{"access": _access(), **payload["words"]},
    )
    check_description(description, policy.threshold)
    return {"description": description, "report": report}


def _access() -> dict:
    from ansim.sites.holder import conditions as of_use  # which needs `published` from here

    return of_use.access(of_use.current())


def _publish(payload: dict, made: dict) -> None:
    description = signed.sign_document(made["description"], post.own_kid(), post.sign)
    name = ledger.keep(description, "dataset")
    facts = {"by": payload["person"], "at": clock.iso(clock.now()), "signed": name}
    version = made["description"]["version"]
    ledger.record("dataset", dataset_id(), {"description": made["description"], **facts}, status=version[:12])
    quality.keep(made["report"], facts["at"])
    ledger.note(
        f"dataset:{dataset_id()}",
        "dataset.published",
        actor=payload["person"],
        version=version,
        description=name,
        failed=len(made["description"]["quality"]["failed"]),
    )
    announce(description)


jobs.job("publish", finish=_publish)(_make)
