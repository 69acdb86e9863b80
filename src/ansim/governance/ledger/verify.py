"""`ansim-verify`: are the sites' ledgers what their witnesses saw?

A separate small program. It uses the standard library, `cryptography` and the three modules beside it that state the
forms; none of the sites' code. What it can promise: every change, drop or reorder of an entry at or before the last
witnessed head is found. What came later shows as "unwitnessed since"; a head that nobody was shown is unknown to all.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ansim.governance.ledger.checkpoint import BadNote, Checkpoint, open_checkpoint, open_cosignature
from ansim.governance.ledger.entry import ERASURE, canonical, commitment, parse
from ansim.governance.ledger.reading import Folder, Key, Keys, Row, Unreadable, directory_keys, read_directory
from ansim.governance.ledger.tree import Frontier


@dataclass(frozen=True)
class Finding:
    """Something wrong in a site's ledger: at entry `seq`, or between `seq` and `until` (both included)."""

    code: str
    text: str
    seq: int | None = None
    until: int | None = None


@dataclass
class SiteReport:
    """What was found in one folder. witnessed: entries up to the last head that another site holds to."""

    site: str
    folder: str
    entries: int = 0
    erased: list[int] = field(default_factory=list)
    witnessed: int = 0
    witnesses: list[str] = field(default_factory=list)
    unwitnessed_since: dict | None = None
    findings: list[Finding] = field(default_factory=list)

    def add(self, code: str, text: str, seq: int | None = None, until: int | None = None) -> None:
        self.findings.append(Finding(code, text, seq, until))


@dataclass
class Report:
    """All sites together; ok when no folder has a finding."""

    sites: list[SiteReport]

    @property
    def ok(self) -> bool:
        return all(not site.findings for site in self.sites)

    def as_data(self) -> dict:
        return {"ok": self.ok, "sites": [asdict(site) for site in self.sites]}


@dataclass(frozen=True)
class Head:
    """A signed tree head of the site, and who vouches for it besides the site itself."""

    checkpoint: Checkpoint
    witness: str | None  # None: only the site's own word
    key: Key  # the site's, with which the head is signed


def verify(folders: Iterable[Path | str], directory: Mapping | Path | str) -> Report:
    """Verify the ledgers in the folders; other site folders beside them are read for what they witnessed.

    directory: the document, or the path of its file. Raises Unreadable only for the directory: a broken folder is a
    finding of its own.
    """
    keys = directory_keys(directory) if isinstance(directory, Mapping) else read_directory(Path(directory))
    chosen = [Folder(Path(path)) for path in dict.fromkeys(Path(path).resolve() for path in folders)]
    beside = {folder.path: folder for folder in chosen} | {
        path: Folder(path)
        for parent in {folder.path.parent for folder in chosen}
        for path in sorted(parent.iterdir())
        if path.is_dir() and Folder(path).holds_ledger() and path not in {folder.path for folder in chosen}
    }
    # Witnesses are read before the ledgers: on a running network a ledger may grow in between, but never shrink.
    witnessed = [(name_of(folder), row) for folder in beside.values() for row in _witnessed_by(folder)]
    reports = [_verify_site(folder, witnessed, keys) for folder in chosen]
    for report in reports:
        if sum(other.site == report.site for other in reports) > 1:
            report.add("same-site", f"more than one folder says that it is {report.site}")
    return Report(reports)


def name_of(folder: Folder) -> str:
    """The site's id: by its settings, else by its own checkpoints, else by the folder's name."""
    if named := folder.named():
        return named
    try:
        return next((row["note"].split("\n")[0] for row in folder.rows("ledger_checkpoint")), folder.path.name)
    except (Unreadable, AttributeError):
        return folder.path.name


def _witnessed_by(folder: Folder) -> list[Row]:
    try:
        return list(folder.rows("ledger_witnessed"))
    except Unreadable:
        return []  # told as a finding when that folder itself is verified


def _verify_site(folder: Folder, witnessed: list[tuple[str, Row]], keys: Keys) -> SiteReport:
    report = SiteReport(name_of(folder), str(folder.path))
    if not keys.get(report.site):
        report.add("unknown-site", f"the directory has no signature key of {report.site}")
    try:
        heads = [*_own_heads(folder, report, keys), *_foreign_heads(report, witnessed, keys)]
        roots, times, ends = _walk(folder, report, {head.checkpoint.size for head in heads})
        heads = [head for head in heads if _in_time(report, head, ends.get(head.checkpoint.size))]
        _check_own_witnessing(folder, report, keys)
    except Unreadable as error:
        report.add("unreadable", str(error))
        return report
    _compare(report, heads, roots)
    _summarise(report, heads, roots, times)
    return report


def _own_heads(folder: Folder, report: SiteReport, keys: Keys) -> Iterator[Head]:
    """The site's own checkpoints and the cosignatures on them, each verified."""
    checkpoints: dict[int, tuple[Checkpoint, Key]] = {}
    for row in folder.rows("ledger_checkpoint"):
        if (found := _open(report, row, report.site, keys, "checkpoint")) is not None:
            checkpoints[found[0].size] = found
            yield Head(found[0], None, found[1])
    for row in folder.rows("ledger_cosignature"):
        size, witness = row["size"], row["witness"]
        if witness == report.site:
            continue  # nobody is one's own witness
        try:
            if size not in checkpoints:
                raise BadNote("the checkpoint that it belongs to is missing or not genuine")
            checkpoint, key = checkpoints[size]
            counts = _cosigned(row["line"], checkpoint, witness, keys.get(witness, []))
        except (BadNote, AttributeError, TypeError) as error:
            report.add("bad-cosignature", f"cosignature of {witness} on {size} entries: {error}")
        else:
            if counts:
                yield Head(checkpoint, witness, key)


def _foreign_heads(report: SiteReport, witnessed: list[tuple[str, Row]], keys: Keys) -> Iterator[Head]:
    """Heads of this site that other sites keep; those not signed by this site are the other's trouble, not its own."""
    for witness, row in witnessed:
        if row["origin"] == report.site and witness != report.site:
            try:
                checkpoint, key = _signed(row["note"], report.site, keys)
                yield Head(checkpoint, witness, key)
            except (BadNote, AttributeError, TypeError):
                continue


def _check_own_witnessing(folder: Folder, report: SiteReport, keys: Keys) -> None:
    for row in folder.rows("ledger_witnessed"):
        _open(report, row, row["origin"], keys, "witnessed head")


def _signed(note: str, origin: str, keys: Keys) -> tuple[Checkpoint, Key]:
    """The checkpoint of a signed note, and the key of the origin's that signed it."""
    checkpoint = open_checkpoint(note, origin, [key.raw for key in keys.get(origin, [])])
    for key in keys[origin]:
        with suppress(BadNote):
            return open_checkpoint(note, origin, [key.raw]), key
    return checkpoint, keys[origin][0]


def _cosigned(line: str, checkpoint: Checkpoint, witness: str, keys: list[Key]) -> bool:
    """Whether the cosignature counts: not if its key was revoked since. Raises BadNote unless a key that was the
    witness's at the (signed) time of the cosignature made it."""
    at = open_cosignature(line, checkpoint, witness, [key.raw for key in keys])
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadNote("the time of the cosignature is no time") from error
    keys = [key for key in keys if key.holds_at(moment)]
    open_cosignature(line, checkpoint, witness, [key.raw for key in keys])
    with suppress(BadNote):
        open_cosignature(line, checkpoint, witness, [key.raw for key in keys if not key.revoked])
        return True
    return False


def _in_time(report: SiteReport, head: Head, end: str | None) -> bool:
    """Whether the key of a head can have signed it: it was not revoked, and not over before the last entry covered.

    Heads of a revoked key count for nothing, silently: later heads, of another key, cover the same entries.
    """
    try:
        moment = datetime.fromisoformat(end or "")
        known = moment.tzinfo is not None
    except ValueError:
        known = False  # no such entry here, or a time that is no time: told elsewhere
    if head.key.revoked:
        return False
    if not known or head.key.holds_after(moment):
        return True
    size = head.checkpoint.size
    report.add("retired-key", f"the head of {size} entries is signed with a key that was over before the last of them")
    return False


def _open(report: SiteReport, row: Row, origin: str, keys: Keys, what: str) -> tuple[Checkpoint, Key] | None:
    try:
        checkpoint, key = _signed(row["note"], origin, keys)
        if (checkpoint.size, checkpoint.root.hex()) != (row["size"], row["root"]):
            raise BadNote("the row and its signed note differ")
        return checkpoint, key
    except (BadNote, AttributeError, TypeError) as error:
        report.add(f"bad-{what.replace(' ', '-')}", f"{what} of {origin} at {row['size']} entries: {error}")
        return None


def _walk(
    folder: Folder, report: SiteReport, sizes: set[int]
) -> tuple[dict[int, bytes], dict[int, str], dict[int, str]]:
    """Recompute every entry in order. At each of the sizes asked for: the root, the time of the entry that comes next,
    and the time of the last one before."""
    frontier, roots, times, ends = Frontier(), {}, {}, {}
    versions: dict[str, int] = {}
    recorded: set[int] = set()
    expected = 0
    sizes = sizes | {0}
    for row in folder.rows("ledger_event"):
        if frontier.size in sizes:
            roots[frontier.size], times[frontier.size] = frontier.root(), row["at"]
        if row["seq"] != expected:
            report.add("dropped", f"entry {expected} is not where it belongs", expected, _before(row["seq"], expected))
        expected = row["seq"] + 1 if isinstance(row["seq"], int) else expected + 1
        leaf = _check_entry(report, row, versions, recorded)
        frontier = frontier.append(leaf)
        if frontier.size in sizes:
            ends[frontier.size] = row["at"]
    roots[frontier.size] = frontier.root()
    report.entries = frontier.size
    for seq in report.erased:
        if seq not in recorded:
            report.add("erased-unrecorded", f"entry {seq} is empty, but no {ERASURE} entry says so", seq)
    return roots, times, ends


def _before(seq: object, expected: int) -> int:
    return max(seq - 1, expected) if isinstance(seq, int) else expected


def _check_entry(report: SiteReport, row: Row, versions: dict[str, int], recorded: set[int]) -> bytes:
    """The stored leaf; findings for what does not lead to it. versions and recorded are carried along."""
    seq, stream, version = row["seq"], row["stream"], row["version"]
    last = versions.get(stream)
    if version not in ((0, 1) if last is None else (last + 1,)):
        report.add("version", f"entry {seq}: version {version} of {stream} follows {last}", seq)
    versions[stream] = version if isinstance(version, int) else 0
    leaf = _bytes(row["leaf"])
    if not row["data"] and not row["salt"]:
        report.erased.append(seq)
        return leaf
    try:
        data = parse(row["data"])
        if canonical(data).decode() != row["data"]:
            raise ValueError("the data are not in canonical form")
        fields = {name: row[name] for name in ("stream", "version", "type", "at", "actor")}
        if commitment(salt=_bytes(row["salt"]), data=data, **fields) != leaf:
            raise ValueError("its content is not what the leaf commits to")
        if row["type"] == ERASURE:
            recorded.update(data.get("seqs", []))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        report.add("changed", f"entry {seq} was changed: {error}", seq)
    return leaf


def _bytes(value: object) -> bytes:
    """Hexadecimal text or bytes; empty for anything else, which then fits no leaf."""
    try:
        return bytes.fromhex(value) if isinstance(value, str) else bytes(value or b"")  # type: ignore[call-overload]
    except (ValueError, TypeError):
        return b""


def _compare(report: SiteReport, heads: list[Head], roots: dict[int, bytes]) -> None:
    """Hold the recomputed roots against every signed head; the first that disagrees bounds where the change is."""
    agreed = max((head.checkpoint.size for head in heads if _agrees(head, roots)), default=0)
    seen: set[tuple[int, bytes]] = set()
    for head in sorted(heads, key=lambda head: (head.checkpoint.size, head.witness is None)):
        size, key = head.checkpoint.size, (head.checkpoint.size, head.checkpoint.root)
        if key in seen or _agrees(head, roots):
            continue
        seen.add(key)
        source = f"witnessed by {head.witness}" if head.witness else "by the site's own checkpoint"
        if size > report.entries:
            text = f"{size} entries are {source}, but only {report.entries} are here"
            report.add("truncated", text, report.entries, size - 1)
            continue
        low = max((other.checkpoint.size for other in heads if _agrees(other, roots, below=size)), default=0)
        fork = "; another signed head agrees with the files: the site showed two histories" if agreed >= size else ""
        text = f"entries {low} to {size - 1} are not the {size} {source}{fork}"
        report.add("rewritten", text, low, size - 1)


def _agrees(head: Head, roots: dict[int, bytes], below: int | None = None) -> bool:
    size = head.checkpoint.size
    return (below is None or size < below) and roots.get(size) == head.checkpoint.root


def _summarise(report: SiteReport, heads: list[Head], roots: dict[int, bytes], times: dict[int, str]) -> None:
    witnesses = defaultdict(set)
    for head in heads:
        if head.witness and _agrees(head, roots):
            witnesses[head.checkpoint.size].add(head.witness)
    report.witnessed = max(witnesses, default=0)
    report.witnesses = sorted(witnesses[report.witnessed]) if witnesses else []
    if report.witnessed < report.entries:
        report.unwitnessed_since = {"seq": report.witnessed, "at": times.get(report.witnessed)}


def _lines(report: Report) -> Iterator[str]:
    for site in report.sites:
        word = "ok" if not site.findings else "FAILED"
        by = f" by {', '.join(site.witnesses)}" if site.witnesses else ""
        erased = f", {len(site.erased)} erased (leaf only)" if site.erased else ""
        yield f"{site.site}: {word}, {site.entries} entries{erased}, {site.witnessed} witnessed{by}"
        if site.unwitnessed_since:
            yield f"  unwitnessed since entry {site.unwitnessed_since['seq']} ({site.unwitnessed_since['at']})"
        for finding in site.findings:
            yield f"  {finding.code}: {finding.text}"


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 when every ledger holds, 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="ansim-verify", description="Verify the ledgers in sites' folders.")
    parser.add_argument("folders", metavar="FOLDER", nargs="+", help="a site's folder (site.sqlite3 or ledger.jsonl)")
    parser.add_argument("--directory", metavar="FILE", required=True, help="JSON file of the sites' public keys")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    options = parser.parse_args(arguments)
    try:
        report = verify(options.folders, options.directory)
    except Unreadable as error:
        print(f"ansim-verify: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report.as_data(), ensure_ascii=False, indent=2) if options.json else "\n".join(_lines(report)))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
