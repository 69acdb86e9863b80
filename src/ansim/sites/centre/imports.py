"""Extracts and linkage pairs coming in: checked against the agreement, opened, joined, and the risk assessed again."""

import json
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansim.documents import kind
from ansim.errors import N_, Problem
from ansim.privacy.deid.plan import POLICY
from ansim.privacy.deid.run import verify
from ansim.sites import clock
from ansim.sites.centre import agreements, joining, vault, workspaces
from ansim.sites.config import site
from ansim.sites.exchange import bulk, post
from ansim.sites.exchange.transport import transport
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Job, Record

SERIALS = "serials.parquet"
MOST_BYTES = 64 * 1024**3


@post.receives("extract.send")
def _on_extract(message: post.Message) -> None:
    """A holder's extract: only from a holder of the agreement, about itself, once, while the agreement is in force."""
    given = message.payload
    key = str(given["agreement"])
    terms = agreements.require_in_force(key)
    if given["holder"] != message.sender or message.sender not in [holder["id"] for holder in terms["holders"]]:
        raise Problem("not-a-holder", N_("{sender} is no holder of this agreement."), sender=message.sender)
    if not {"centre", "extract"} & set(terms["modes"]):
        raise Problem("mode-outside", N_("The agreement foresees no extract at a centre."))
    if given["version"] != terms["version"]:
        raise Problem("version-superseded", N_("The extract was made under another version of the agreement."))
    space = workspaces.get(key)
    if space["extracts"].get(message.sender, {}).get("status", "refused") not in ("refused", "arriving"):
        raise Problem("received-already", N_("An extract of {sender} is here already."), sender=message.sender)
    manifest = kind(given["manifest"], "manifest/1")
    facts = {
        "extract": str(given["extract"]),
        "status": "arriving",
        "people": manifest["people"],
        "dataset": given.get("dataset"),
        "at": clock.iso(clock.now()),
    }
    workspaces.change(
        key,
        "extract.announced",
        message.sender,
        {"extract": facts["extract"], "blob": given["blob"]},
        extracts={**space["extracts"], message.sender: facts},
    )
    jobs.queue(
        "import",
        f"{key}:{message.sender}:{given['blob']}",
        {"agreement": key, "holder": message.sender, "given": given},
    )


def _import(payload: dict) -> dict:
    """Fetch, decrypt, unpack, verify; nothing is in its place before all of it is right."""
    try:
        return _fetched(payload)
    except Problem as problem:
        workspaces.wipe(workspaces.folder(payload["agreement"], f".import-{payload['holder']}"))
        return {"problem": str(problem), "code": problem.code}


def _fetched(payload: dict) -> dict:
    given, key, holder = payload["given"], payload["agreement"], payload["holder"]
    place = workspaces.folder(key, "received", holder)
    if place.exists():
        return _facts(place)
    work = workspaces.folder(key, f".import-{holder}")
    work.mkdir(parents=True, exist_ok=True)
    sealed, tar, inside = work / "sealed", work / "tar", work / "extract"
    if not sealed.exists():
        transport().get_blob(given["blob"], sealed)
    bulk.decrypt(sealed, given["key"], tar)
    shutil.rmtree(inside, ignore_errors=True)
    inside.mkdir()
    unpack(tar, inside, given["manifest"])
    place.parent.mkdir(parents=True, exist_ok=True)
    inside.rename(place)
    workspaces.wipe(work)
    return _facts(place)


def unpack(archive: Path, folder: Path, manifest: dict) -> None:
    """The manifest's tables and the serials, flat, plain files, nothing else; each table with its hash."""
    allowed = {"manifest.json", SERIALS, *(f"{table}.parquet" for table in manifest["tables"])}
    taken, total = set(), 0
    with tarfile.open(archive, mode="r:") as tar:
        for member in tar:
            name = Path(member.name).name
            if member.isdir():
                continue
            total += member.size
            if (
                not member.isreg()
                or name not in allowed
                or name in taken
                or member.name.count("/") > 1
                or total > MOST_BYTES
            ):
                raise Problem(
                    "bad-extract",
                    N_("The extract holds {name}, which its manifest does not name."),
                    name=member.name[:80],
                )
            member.name, member.mode = name, 0o600
            tar.extract(member, folder, set_attrs=False, filter="data")
            taken.add(name)
    file = folder / "manifest.json"
    if not file.exists():
        file.write_text(json.dumps(manifest))
    if verify(folder) != manifest:
        raise Problem("bad-extract", N_("The extract's manifest is not the one that was announced."))


def _facts(place: Path) -> dict:
    manifest = json.loads((place / "manifest.json").read_text("utf-8"))
    return {"manifest": manifest, "serials": (place / SERIALS).exists()}


def _imported(payload: dict, facts: dict) -> None:
    key, holder, given = payload["agreement"], payload["holder"], payload["given"]
    space = workspaces.get(key)
    Job.objects.filter(kind="import", payload__holder=holder, payload__agreement=key).update(
        payload={}
    )  # holds the key
    if "problem" in facts:
        entry = {**space["extracts"][holder], "status": "refused", "message": facts["problem"]}
        note = {"code": facts["code"], "message": facts["problem"]}
        workspaces.change(key, "extract.refused", holder, note, extracts={**space["extracts"], holder: entry})
        return
    manifest = facts["manifest"]
    decisions = [
        str(each.get("by", each) if isinstance(each, dict) else each)[:100] for each in given.get("decisions") or []
    ]
    entry = {
        **space["extracts"][holder],
        "status": "received",
        "people": manifest["people"],
        "k": manifest["k"],
        "suppressed": manifest["suppressed"],
        "shift_days": manifest["shift_days"],
        "plan": manifest["plan"],
        "reviewers": decisions,
        "tables": {
            name: {part: table[part] for part in ("sha256", "bytes", "rows")}
            for name, table in manifest["tables"].items()
        },
    }
    workspaces.change(
        key,
        "extract.received",
        holder,
        {"extract": entry["extract"], "plan": manifest["plan"], "people": manifest["people"]},
        extracts={**space["extracts"], holder: entry},
    )
    prepare_if_ready(key)


jobs.job("import", finish=_imported)(_import)


@post.receives("link.pairs")
def _on_pairs(message: post.Message) -> None:
    """The pairs of serials: only from the agreed key agency, once, and while the agreement is in force."""
    given = message.payload
    key = str(given["agreement"])
    terms = agreements.require_in_force(key)
    if not terms["linkage"] or message.sender != terms["linkage"]["key_agency"]:
        raise Problem("not-the-key-agency", N_("{sender} is not the agreed key agency."), sender=message.sender)
    space = workspaces.get(key)
    if space["pairs"]:
        raise Problem("received-already", N_("The pairs of this agreement are here already."))
    groups = groups_of(given["pairs"], set(terms["linkage"]["holders"]))
    ledger.record("pairs", key, {"groups": groups}, status="waiting")
    facts = {"groups": len(groups), "rates": given.get("rates") or {}, "at": clock.iso(clock.now())}
    workspaces.change(key, "pairs.received", message.sender, {"groups": len(groups)}, pairs=facts)
    prepare_if_ready(key)


def groups_of(pairs: Iterable[list], holders: set[str]) -> list[dict[str, str]]:
    """Linked people, [{holder: serial}], of pairs [holder, serial, holder, serial]: connected serials are one person.

    A set with two serials of one holder contradicts itself and is refused as a whole: so is a pair of strangers.
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    for pair in pairs:
        ends = [(pair[0], pair[1]), (pair[2], pair[3])]
        if len(pair) != 4 or ends[0][0] == ends[1][0] or not {ends[0][0], ends[1][0]} <= holders:
            raise Problem("bad-pairs", N_("The pairs are not of the agreed holders."))
        merged: dict[str, str] = {}
        for end in ends:
            for holder, serial in found.get(end, dict([end])).items():
                if merged.setdefault(holder, serial) != serial:
                    raise Problem("bad-pairs", N_("The pairs tie two people of one holder together."))
        found.update(dict.fromkeys(merged.items(), merged))
    return list({id(group): group for group in found.values()}.values())


def ready(key: str) -> list[str]:
    """Holders whose extracts can be put into the room: linked ones only together and with their pairs."""
    terms, space = agreements.terms(key), workspaces.get(key)
    here = {holder for holder, entry in space["extracts"].items() if entry["status"] == "received"}
    linked = set(terms["linkage"]["holders"]) if terms["linkage"] else set()
    return sorted(here if linked <= here and space["pairs"] else here - linked)


def prepare_if_ready(key: str) -> None:
    """An unlinked extract goes into the room when it is here, linked ones when all of them and the pairs are."""
    holders = ready(key)
    if holders:
        ledger.note(f"workspace:{key}", "data.preparing", holders=holders)
        jobs.queue("link", f"{key}:{','.join(holders)}", {"agreement": key, "holders": holders})


def _link(payload: dict) -> dict[str, Any]:
    """Put the data together; what speaks against it goes on the record."""
    try:
        return _put_together(payload)
    except Problem as problem:
        return {"problem": str(problem), "code": problem.code}


def _put_together(payload: dict) -> dict[str, Any]:
    """Each waiting extract as a part of its own, and the linked holders' extracts re-keyed as one part."""
    key = payload["agreement"]
    terms = agreements.require_in_force(key)
    together = set(terms["linkage"]["holders"]) if terms["linkage"] else set()
    made: dict[str, Any] = {}
    with vault.opened(key, change=True) as space:
        for holder in payload["holders"]:
            if holder not in together:
                made[holder] = joining.alone(space, holder, terms["query"])
        linking = sorted(together & set(payload["holders"]))
        if linking and set(linking) == together:
            groups = Record.objects.get(kind="pairs", key=key).data["groups"] if not joining.done(space) else []
            made["linked"] = joining.together(space, linking, groups, terms["query"], _risk_policy())
    return made


def _risk_policy() -> dict:
    """What the linked table is measured against; the export reviewer sees whether it is met."""
    return {"k": int(site().options.get("k", POLICY["k"]))}


def _linked(payload: dict, made: dict) -> None:
    """Serials, pairs and the pseudonyms of before are deleted in the act that puts the parts on the record."""
    key, space = payload["agreement"], workspaces.get(payload["agreement"])
    if "problem" in made:
        workspaces.change(key, "data.refused", "system", dict(made), message=made["problem"])
        return
    parts, linkage = dict(space["parts"]), space["linkage"]
    extracts = {holder: {**entry} for holder, entry in space["extracts"].items()}
    for name, part in made.items():
        report = part.pop("risk", None)
        parts[name] = {**part, "admitted": name != "linked", "at": clock.iso(clock.now())}
        for holder in part["holders"]:
            extracts[holder]["status"] = "in the room"
        if name == "linked":
            linkage = {"holders": part["holders"], "people": part["people"], "rates": part["rates"], "risk": report}
            Record.objects.filter(kind="pairs", key=key).delete()
    status = "held" if not all(part["admitted"] for part in parts.values()) else "open"
    facts = {name: part["people"] for name, part in made.items()}
    workspaces.change(
        key,
        "data.prepared",
        "system",
        {"people": facts},
        parts=parts,
        extracts=extracts,
        linkage=linkage,
        status=status,
    )
    for part in made.values():
        for holder in part["holders"]:
            workspaces.wipe(workspaces.folder(key, "received", holder))
    with vault.opened(key, change=True) as place:
        joining.offer(place, workspaces.readable(workspaces.get(key)))


jobs.job("link", finish=_linked)(_link)
