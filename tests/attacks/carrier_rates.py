"""How often each carrier is found and how often honest files are suspected; for the test and tools/carriers.py."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from carriers import CARRIERS, SIZES, Carrier, honest, plotted

from ansim.privacy.airlock.folder import check_folder
from ansim.privacy.airlock.safe import make_safe
from ansim.privacy.disclosure.files import check_file
from ansim.privacy.disclosure.policy import Policy

SEEDS = 10
POLICY = Policy()


@dataclass(frozen=True)
class Rate:
    """Shares of the tries, 0 to 1, by size of the payload. control: read back from the files as they were written.
    refused: no person can wave it through. seen: refused, or something pointed out to a person. safe: read back from
    the safe versions. released: read back after the files' bytes alone were copied, as a release does."""

    carrier: Carrier
    control: dict[int, float]
    refused: dict[int, float]
    seen: dict[int, float]
    safe: dict[int, float]
    released: dict[int, float]
    rules: tuple[str, ...]


def read(carrier: Carrier, folder: Path, payload: bytes) -> bool:
    try:
        found = carrier.read(folder)
    except Exception:  # whatever breaks the reader has destroyed the carrier
        return False
    return found[: len(payload)] == payload and len(found) <= len(payload) + 8


def copied(source: Path, target: Path, *, safe: bool) -> None:
    """The files' bytes under their names, as a release carries them; or their safe versions."""
    target.mkdir()
    for file in source.iterdir():
        content = file.read_bytes()
        made = make_safe(file.name, content, POLICY).content if safe else content
        if made is not None:
            (target / file.name).write_bytes(made)


def rate(carrier: Carrier, sizes=SIZES, seeds: int = SEEDS) -> Rate:
    counts: dict[str, Counter[int]] = {name: Counter() for name in ("control", "refused", "seen", "safe", "released")}
    rules: Counter[str] = Counter()
    for size in sizes:
        for seed in range(seeds):
            rng = random.Random(f"{carrier.name}/{size}/{seed}")
            payload = rng.randbytes(size)
            with TemporaryDirectory() as name:
                folder = Path(name) / "outputs"
                folder.mkdir()
                carrier.write(folder, payload, rng)
                report = check_folder(folder, POLICY)
                found = [finding for file in report.files for finding in file.findings]
                rules.update(sorted({finding.rule for finding in found}))
                copied(folder, Path(name) / "released", safe=False)
                copied(folder, Path(name) / "safe", safe=True)
                counts["control"][size] += read(carrier, folder, payload)
                counts["refused"][size] += report.verdict == "refuse"
                counts["seen"][size] += bool(found)
                counts["released"][size] += read(carrier, Path(name) / "released", payload)
                counts["safe"][size] += read(carrier, Path(name) / "safe", payload)
    shares = {name: {size: found[size] / seeds for size in sizes} for name, found in counts.items()}
    return Rate(carrier, **shares, rules=tuple(rule for rule, _ in rules.most_common(3)))


def rates(sizes=SIZES, seeds: int = SEEDS) -> Iterator[Rate]:
    for carrier in CARRIERS:
        yield rate(carrier, sizes, seeds)


def false_alarms(seeds: int = 40, plots: int = 4) -> dict[str, tuple[int, int, int, tuple[str, ...]]]:
    """{honest file: (tries, refused, something pointed out, by which rules)}."""
    tries: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    rules: dict[str, Counter[str]] = {}
    for seed in range(seeds):
        rng = random.Random(f"honest/{seed}")
        for name, content in {**honest(rng), **(plotted(rng) if seed < plots else {})}.items():
            report = check_file(name, content.encode() if isinstance(content, str) else content, POLICY)
            tries[name] += 1
            refused[name] += report.verdict == "refuse"
            seen[name] += bool(report.findings)
            rules.setdefault(name, Counter()).update(sorted({finding.rule for finding in report.findings}))
    return {name: (tries[name], refused[name], seen[name], tuple(rules[name])) for name in tries}
