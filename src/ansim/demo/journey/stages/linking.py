"""Stage 9: hospital and public-body extracts joined over the key agency, which never sees payload."""

import itertools
from collections import Counter
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ansim.demo.journey import study
from ansim.demo.journey.client import PatientKeeper
from ansim.demo.journey.promises import code_of, until
from ansim.demo.journey.stages.preparing import PAIRS
from ansim.demo.journey.stolen_hub import StolenHub
from ansim.demo.journey.stored import found_many
from ansim.demo.journey.world import Journey, Stage
from ansim.privacy.linkage.score import score
from ansim.research.cohort import compile as cohorts
from ansim.research.cohort.query import parse
from ansim.sites.exchange import signed

LINKED = Path("room", "prepared", "linked", "frame.parquet")  # in the opened workspace
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
    _scored(journey, key, matched, space["linkage"]["people"])
    _kept_apart(journey, key)
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


def _scored(journey: Journey, key: str, matched: dict, linked: int) -> None:
    """Precision and recall of the pairs that the key agency really sent, with the truth that no site has.

    The centre deletes pairs and serials at the join. The journey stands outside of every site: it kept the sealed pairs
    on their way through the hub, and has the centre's own key process open them. Whose serial is whose, each holder's
    key process says. Then the linked table itself is read: it must hold exactly these people, with these values.
    """
    hub = StolenHub(journey.nation)
    sent = until(lambda: hub.heard(PAIRS, "link.pairs"), 60, "the pairs on their way")
    hub.unlisten(PAIRS)
    pairs = signed.loads(PatientKeeper(journey.folder(study.CENTRE)).decrypt(sent[-1]["payload"]))["pairs"]
    journey.promise("the pairs were sent once", len(sent) == 1, len(sent))
    groups = _groups(pairs)
    same = len(groups) == matched["pairs"] == linked
    journey.promise("as many people were joined as pairs were sent for", same, (len(groups), matched["pairs"], linked))
    _joined_as_paired(journey, key, groups)
    truth = pq.read_table(journey.nation.folder / "truth" / "truth.parquet").to_pylist()
    who = {(row["holder"], row["person_id"]): row["true_person"] for row in truth}
    person_of = {
        holder: {serial: who[(holder, person)] for serial, (_, person) in _people(journey, holder, key).items()}
        for holder in study.LINKED
    }
    found, true = set(), set()
    for one, other in itertools.combinations(study.LINKED, 2):
        both = [(group[one], group[other]) for group in groups if one in group and other in group]
        found |= {(one, person_of[one][first], other, person_of[other][second]) for first, second in both}
        true |= {(one, each, other, each) for each in set(person_of[one].values()) & set(person_of[other].values())}
    scored = score(found, true)
    journey.facts["linkage"] = scored
    journey.promise("precision of the linkage is at least 0.98", scored["precision"] >= 0.98, scored)
    journey.promise("recall of the linkage is at least 0.90", scored["recall"] >= 0.90, scored)


def _groups(pairs: list[list[str]]) -> list[dict[str, str]]:
    """[{holder: serial}] of people, from chained pairs [[holder, serial, holder, serial]]."""
    group_of: dict[tuple[str, str], dict[str, str]] = {}
    for first, one, second, other in pairs:
        whole = group_of.get((first, one), {first: one}) | group_of.get((second, other), {second: other})
        group_of |= dict.fromkeys(whole.items(), whole)
    return list({id(group): group for group in group_of.values()}.values())


def _joined_as_paired(journey: Journey, key: str, groups: list[dict[str, str]]) -> None:
    """The stored linked table, row for row: each person's values at each holder are those of the paired serials."""
    values, columns = {}, []
    for holder in study.LINKED:
        frame = pq.read_table(journey.kept(f"{holder}.parquet"))
        names = [name for name in frame.column_names if name != "person_id"]
        rows = {row["person_id"]: tuple(row[name] for name in names) for row in frame.to_pylist()}
        blank = (None,) * len(names)
        people = _people(journey, holder, key)
        values[holder] = {serial: rows.get(pseudonym, blank) for serial, (pseudonym, _) in people.items()} | {"": blank}
        columns += [f"{name}@{holder}" for name in names]
    paired = Counter(
        tuple(itertools.chain.from_iterable(values[holder][group.get(holder, "")] for holder in study.LINKED))
        for group in groups
    )
    with journey.unsealed(key) as space:
        table = pq.read_table(space / LINKED, columns=columns)
    stored = Counter(zip(*(column.to_pylist() for column in table), strict=True))
    odd = (paired - stored) + (stored - paired)
    journey.promise("the stored linked table is the join of these pairs, row for row", not odd, odd.total())


def _people(journey: Journey, holder: str, key: str) -> dict[str, tuple[str, int]]:
    """{serial: (pseudonym, person id)} of those in a holder's extract, made by its own key process (only it can)."""
    with duckdb.connect(str(journey.folder(holder) / "cdm.duckdb"), read_only=True) as con:
        ids = cohorts.cohort(con, parse(study.QUERY))["person_id"].to_pylist()
    keeper, kept = PatientKeeper(journey.folder(holder)), set(journey.facts["pseudonyms"][holder])
    serials, pseudonyms = (keeper.call(verb, project=key, ids=ids) for verb in ("serials", "pseudonyms"))
    rows = zip(serials, pseudonyms, ids, strict=True)
    return {serial: (pseudonym, person) for serial, pseudonym, person in rows if pseudonym in kept}


def _match_keys(journey: Journey, key: str, holder: str) -> list[dict]:
    """The match keys of everybody in a holder's extract, made again by its key process: [{serial, keys}]."""
    serials = {person: serial for serial, (_, person) in _people(journey, holder, key).items()}
    with duckdb.connect(str(journey.folder(holder) / "identity.duckdb"), read_only=True) as con:
        rows = con.execute("SELECT person_id, name, birth_date::VARCHAR, sex, phone FROM identity").fetchall()
    names = ("name", "birth_date", "sex", "phone")
    named = [
        {"serial": serials[person], **dict(zip(names, values, strict=True))}
        for person, *values in rows
        if person in serials
    ]
    keeper, agency = PatientKeeper(journey.folder(holder)), PatientKeeper(journey.folder(study.KEY_AGENCY))
    elements = agency.call("evaluate", project=key, elements=keeper.call("blind_keys", project=key, rows=named))
    return keeper.call("unblind_keys", project=key, rows=named, evaluated=elements)


def identities(folder: Path, sample: int = SAMPLE) -> list[str]:
    """Names, phones and resident numbers of some people of a holder."""
    with duckdb.connect(str(folder / "identity.duckdb"), read_only=True) as con:
        rows = con.execute(
            "SELECT name, phone, resident_number FROM identity ORDER BY hash(person_id) LIMIT ?", [sample]
        ).fetchall()
    return [value for row in rows for value in row]


def _nowhere(journey: Journey, site: str, kinds: dict[str, list[str]], *also: Path) -> None:
    """Read everything that a site stored, once, for every kind of text that must not be there; also: more folders."""
    texts = [text for listed in kinds.values() for text in listed]
    traces: dict[str, list[str]] = {}
    for folder in (journey.folder(site), *also):
        for text, places in found_many(folder, texts, leave_out=["packages"]).items():  # pandas and its like
            traces.setdefault(text, []).extend(places)
    for what, texts in kinds.items():
        seen = {text: traces[text] for text in texts if text in traces}
        journey.promise(f"all that {site} stored holds no {what}", texts and not seen, list(seen.items())[:3])


def _kept_apart(journey: Journey, key: str) -> None:
    """The key agency never sees payload, the linker never sees keys or identities: read what each has stored."""
    known = [value for holder in study.LINKED for value in identities(journey.folder(holder))]
    pseudonyms = [token for tokens in journey.facts["pseudonyms"].values() for token in tokens]
    keys = [token for row in _match_keys(journey, key, "hospital-b") for token in row["keys"].values()]
    identity = {"name, phone or resident number": known}
    _nowhere(journey, study.KEY_AGENCY, {**identity, "pseudonym of an extract": pseudonyms})
    tables = [file.name for file in journey.folder(study.KEY_AGENCY).rglob("*.parquet")]
    journey.promise("nor any table of rows", not tables, tables)
    with journey.unsealed(key) as space:
        _nowhere(journey, study.CENTRE, {**identity, "match key of a linked person": keys}, space)
        linked = pq.read_table(space / LINKED, columns=["person_id"])["person_id"].to_pylist()[:20]
        there = found_many(space, linked)
    _nowhere(journey, study.HUB, {**identity, "pseudonym": pseudonyms, "match key": keys})
    here = found_many(journey.folder("hospital-b"), identities(journey.folder("hospital-b"), 5))
    journey.promise("(control) the same reading finds identities at the hospital", here, len(here))
    at_rest = found_many(journey.folder(study.CENTRE), linked, leave_out=["packages"])
    journey.promise("at rest no pseudonym of a linked person can be read at the centre", not at_rest, at_rest)
    journey.promise(
        "(control) the same reading finds the linked table's rows in the workspace opened with its key",
        len(there) == len(linked),
        len(there),
    )


LINK = Stage(9, "결합", "Link", link)
