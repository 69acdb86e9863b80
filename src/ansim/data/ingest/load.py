"""One load, from sources to a published version: `ansim load`, and the same as a function.

A load takes the sources as they are now, whole: what is not among them any more is not in the new version. What did not
change since the last version is not read again, where that gives the same result as reading everything:

- nothing changed at all: no new version;
- only some files changed, by the same mapping and vocabulary: rows of the other files are taken over from the last
  version, and those of the changed ones are loaded anew, with the ids that their keys had;
- else everything is read; rows keep the ids that their source keys had in the last version.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansim.data.cdm import versions as store
from ansim.data.cdm.files import file_digest
from ansim.data.cdm.versions import TRACE, Version
from ansim.data.ingest import sources
from ansim.data.ingest.building import Building, Options, Progress
from ansim.data.ingest.mapping import Mapping, built_in, read_mapping
from ansim.data.ingest.sources import Found
from ansim.documents import digest
from ansim.errors import N_, Problem

FORM = 1  # of what a load makes of its sources; raised when the same sources would give other rows
__all__ = ["Options", "Result", "load"]


@dataclass
class Result:
    """version: the version in use now; changed: whether this load made it; report: the account of its rows."""

    version: Version | None
    changed: bool
    report: dict[str, Any]
    coverage: list[dict[str, Any]] = field(default_factory=list)


def load(
    given: Iterable[str | Path],
    into: Path,
    options: Options,
    *,
    dry_run: bool = False,
    progress: Progress = lambda text: None,
) -> Result:
    """Load the sources into the dataset at `into` (see `versions`). dry_run: read and account, publish nothing.

    Raises Problem, and publishes nothing, when a source or the mapping is broken, or when a larger share of the rows
    than `refuse_above` is refused; then `<dataset>.versions/stopped` keeps the account with the refused rows.
    """
    into = Path(into)
    mapping = _mapping(options.mapping)
    with store.new_version(into) as building:
        work = building / "work"
        work.mkdir()
        progress("sources")
        found, passed = sources.find(given, work, mapping)
        if not found:
            raise Problem("no-source", N_("There is nothing to load among the sources."), where=str(into))
        facts = _facts(found, mapping, options)
        last = store.in_use(into)
        if last and not dry_run and not options.whole and last.facts["made_from"] == facts:
            return Result(last, False, last.facts["account"])
        load = Building(building, found, passed, mapping, options, last, facts, progress)
        load.run()
        shutil.rmtree(work)
        coverage = load.coverage
        account = load.account
        _judge(into, building, account, options, dry_run)
        if dry_run:
            return Result(None, False, account, coverage)
        progress("publishing")
        made = store.publish_version(into, building, load.version_facts())
        return Result(made, True, account, coverage)


def _mapping(given: Path | str | None) -> Mapping | None:
    if given is None:
        return None
    path = Path(given)
    return read_mapping(path) if path.suffix in {".toml", ".yaml", ".yml"} else built_in(str(given))


def _facts(found: list[Found], mapping: Mapping | None, options: Options) -> dict[str, Any]:
    """What a version is made from. The same facts give the same rows."""
    return {
        "files": {each.name: each.digest for each in found},
        "mapping": mapping.digest if mapping else "",
        "code_maps": [file_digest(path) for path in options.code_maps],
        "vocabulary": file_digest(options.vocabulary) if options.vocabulary else "",
        "form": FORM,
        "described": digest([options.name, options.holder, options.released]),
    }


def _judge(into: Path, building: Path, account: dict[str, Any], options: Options, dry_run: bool) -> None:
    """Too many refused rows: keep the account where it can be looked at, and stop."""
    rows, refused = account["rows_in"], account["refused"]
    if dry_run or refused <= options.refuse_above * rows:
        return
    stopped = store.folder_of(into) / "stopped"
    shutil.rmtree(stopped, ignore_errors=True)
    stopped.mkdir()
    shutil.copyfile(building / TRACE, stopped / TRACE)
    worst = account["reasons"][0]
    raise Problem(
        "too-many-refused",
        N_(
            "{refused} of {rows} rows were refused, more than {limit} in 100; nothing was published. The most frequent "
            "reason: {table} {field} {reason} ({file}, first at line {line})."
        ),
        where=str(into),
        remedy=N_(
            "Mend the source or the mapping, or allow more with --refuse-above. The refused rows are in {place}."
        ),
        refused=refused,
        rows=rows,
        limit=f"{options.refuse_above * 100:g}",
        table=worst["table"],
        field=worst["field"],
        reason=worst["reason"],
        file=worst["file"],
        line=worst["first_line"],
        place=str(stopped / TRACE),
    )
