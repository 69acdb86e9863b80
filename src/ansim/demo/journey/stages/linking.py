"""Stage 9: hospital and public-body extracts joined over the key agency, which never sees payload."""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ansim.demo.journey import study
from ansim.demo.journey.promises import code_of, until
from ansim.demo.journey.stored import found_many
from ansim.demo.journey.world import Journey, Stage
from ansim.privacy.linkage.score import score

SAMPLE = 400  # identities of each holder whose traces are looked for
CRITERIA = {"related": True, "not_identifiable": True, "safety_plan": True}


def link(journey: Journey) -> str:
    """The pairs come, the centre joins and assesses the risk again; the linked table enters after the export review."""
    key = journey.facts["agreement"]
    room, exporter = journey.person("room", study.CENTRE), journey.person("exporter", study.CENTRE)
    agency = journey.person("keys", study.KEY_AGENCY)
    matched = until(partial(_sent, agency, key), 300, "the pairs of the key agency")
    journey.promise("the key agency deleted the keys when the pairs had left", not matched["kept"], matched["kept"])
    space = until(partial(_joined, room, key), 300, "the join at the centre")
    journey.promise("the linked table is held until the export review", space["status"] == "held", space["status"])
    risk = (space["linkage"] or {}).get("risk") or {}
    journey.promise("its risk was assessed again after the join", {"k", "uniques"} <= set(risk), sorted(risk))
    code = code_of(lambda: _start(journey, key))
    journey.promise("nobody works on it before", code, code)
    _scored(journey, key)
    _nothing_at_agency(journey, key)
    _nothing_at_centre(journey, key)
    code = code_of(lambda: exporter.do(f"/workspaces/{key}/admit/", **CRITERIA))
    journey.promise("the export review needs its reasons", code, code)
    exporter.do(f"/workspaces/{key}/admit/", **CRITERIA, reason="as agreed; the room is closed; k was looked at")
    opened = room.get(f"/workspaces/{key}/")
    journey.promise("after the review of the three criteria the workspace is open", opened["status"] == "open")
    journey.promise("the review names all three criteria", len(opened["review"]["criteria"]) == 3, opened["review"])
    rates = {holder: rate / 10 for holder, rate in space["linkage"]["rates"].items()}
    facts = journey.facts["linkage"]
    return (
        f"{space['linkage']['people']} people linked (match rates {rates} %), precision {facts['precision']:.3f}, "
        f"recall {facts['recall']:.3f} against the truth"
    )


def _start(journey: Journey, key: str) -> None:
    journey.person("researcher", study.CENTRE).do(f"/workspaces/{key}/runs/", script="print(1)", title="too early")


def _sent(agency, key: str) -> dict:
    page = agency.get(f"/links/{key}/")
    if page["status"] == "refused":
        raise RuntimeError(page["problem"])
    return page if page["status"] == "sent" and not page["kept"] else {}


def _joined(room, key: str) -> dict:
    page = room.get(f"/workspaces/{key}/")
    return page if page["status"] in {"held", "open"} and page["linkage"] else {}


def _scored(journey: Journey, key: str) -> None:
    """Precision and recall of the pairs, with the truth that no site has and each holder's own key process."""
    truth = pq.read_table(journey.nation.folder / "truth" / "truth.parquet").to_pylist()
    who = {(row["holder"], row["person_id"]): row["true_person"] for row in truth}
    person_of, extracted = {}, {}
    for holder in study.LINKED:
        people = _people(journey, holder, key)
        extracted[holder] = {who[(holder, person)] for person in people.values()}
        person_of[holder] = {serial: who[(holder, person)] for serial, person in people.items()}
    pairs = _pairs(journey, key)
    named = [(one, person_of[one][first], other, person_of[other][second]) for one, first, other, second in pairs]
    true = {
        (one, person, other, person)
        for one in study.LINKED
        for other in study.LINKED
        if one < other
        for person in extracted[one] & extracted[other]
    }
    found = score(named, true)
    journey.facts["linkage"] = found
    journey.promise("precision of the linkage is at least 0.98", found["precision"] >= 0.98, found)
    journey.promise("recall of the linkage is at least 0.90", found["recall"] >= 0.90, found)


def _people(journey: Journey, holder: str, key: str) -> dict[str, int]:
    """{serial: person id} of a holder's extract, made again by its own key process (only the holder can)."""
    from ansim.research.cohort import compile as cohorts
    from ansim.research.cohort.query import parse
    from ansim.sites.keeper.client import Keeper

    with duckdb.connect(str(journey.folder(holder) / "cdm.duckdb"), read_only=True) as con:
        ids = cohorts.cohort(con, parse(study.QUERY))["person_id"].to_pylist()
    serials = Keeper(journey.folder(holder)).call("serials", project=key, ids=ids)
    sent = pq.read_table(journey.folder(study.CENTRE) / "workspaces" / key / "received" / holder / "serials.parquet")
    kept = set(sent["serial"].to_pylist())
    return {serial: person for serial, person in zip(serials, ids, strict=True) if serial in kept}


def _pairs(journey: Journey, key: str) -> list[tuple[str, str, str, str]]:
    """The pairs as the linker has them, each in the order of the holders' names."""
    import sqlite3

    with sqlite3.connect(f"file:{journey.folder(study.CENTRE)}/site.sqlite3?mode=ro", uri=True) as con:
        (text,) = con.execute("SELECT data FROM store_record WHERE kind = 'pairs' AND key = ?", [key]).fetchone()
    con.close()
    pairs = []
    for group in json.loads(text)["groups"]:
        ends = sorted(group.items())
        pairs += [(*one, *other) for number, one in enumerate(ends) for other in ends[number + 1 :]]
    return pairs


def identities(folder: Path, sample: int = SAMPLE) -> Iterable[str]:
    """Names, phones and resident numbers of some people of a holder."""
    with duckdb.connect(str(folder / "identity.duckdb"), read_only=True) as con:
        rows = con.execute(
            "SELECT name, phone, resident_number FROM identity ORDER BY hash(person_id) LIMIT ?", [sample]
        ).fetchall()
    return [value for row in rows for value in row]


def tokens(journey: Journey, key: str) -> set[str]:
    """The pseudonyms in the extracts."""
    place = journey.folder(study.CENTRE) / "workspaces" / key / "received"
    files = place.glob("*/person.parquet")
    return {token for file in files for token in pq.read_table(file, columns=["person_id"])["person_id"].to_pylist()}


def _nothing_at_agency(journey: Journey, key: str) -> None:
    """Read everything that the key agency stored: no identity, no pseudonym, no concept or variable of the study."""
    known = [value for holder in study.LINKED for value in identities(journey.folder(holder))]
    pseudonyms = tokens(journey, key)
    place = journey.folder(study.KEY_AGENCY)
    traces = found_many(place, known)
    journey.promise(
        "all that the key agency stored holds no name, phone or resident number", not traces, list(traces.items())[:3]
    )
    traces = found_many(place, pseudonyms)
    journey.promise("nor any pseudonym of an extract", not traces, list(traces.items())[:3])
    tables = [str(file) for file in place.rglob("*") if file.suffix in {".parquet", ".duckdb", ".csv"}]
    journey.promise("nor any table of rows", not tables, tables)
    here = found_many(journey.folder("hospital-b"), list(identities(journey.folder("hospital-b"), 5)))
    journey.promise("(control) the same reading finds identities at the hospital", here, len(here))
    inside = found_many(journey.folder(study.CENTRE), list(pseudonyms)[:20])
    journey.promise("(control) and pseudonyms at the centre", len(inside) == 20, len(inside))


def _nothing_at_centre(journey: Journey, key: str) -> None:
    """Read everything that the centre stored: no match keys, no identity."""
    place = journey.folder(study.CENTRE)
    known = [value for holder in study.LINKED for value in identities(journey.folder(holder))]
    traces = found_many(place, known)
    journey.promise(
        "all that the centre stored holds no name, phone or resident number", not traces, list(traces.items())[:3]
    )
    keys = _match_keys(journey, key)
    traces = found_many(place, keys)
    journey.promise("nor any match key of a linked person", keys and not traces, (len(keys), list(traces.items())[:3]))


def _match_keys(journey: Journey, key: str, holder: str = "hospital-b") -> list[str]:
    """Match keys of some people in the extract, made again by the holder's key process."""
    from ansim.sites.keeper.client import Keeper

    some = dict(list(_people(journey, holder, key).items())[:60])
    with duckdb.connect(str(journey.folder(holder) / "identity.duckdb"), read_only=True) as con:
        rows = con.execute(
            "SELECT person_id, name, birth_date::VARCHAR, sex, phone FROM identity WHERE person_id IN "
            "(SELECT unnest(?))",
            [list(some.values())],
        ).fetchall()
    serials = {person: serial for serial, person in some.items()}
    named = [
        {"serial": serials[row[0]], "name": row[1], "birth_date": row[2], "sex": row[3], "phone": row[4]}
        for row in rows
    ]
    made = Keeper(journey.folder(holder)).call("match_keys", project=key, rows=named)
    return [token for row in made for token in row["keys"].values()]


LINK = Stage(9, "결합", "Link", link)
