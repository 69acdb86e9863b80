"""The long suites: power cuts amid messages and amid the whole journey, attacks, sandbox escapes.

Writes docs/soak.json: for each suite its commit, seed, machine, and counts. ANSIM_KILLS (200) and ANSIM_SEED choose how
long and which. With words as arguments only the suites whose name has one of them are run; the others' results stay.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "soak.json"
SUITES = {
    "power cuts amid messages": ["tests/integration/test_crashes.py"],
    "power cuts amid the journey": ["tests/journey/test_kills.py", "-m", "soak"],
    "the machine and the network fail": ["tests/integration/test_survive.py"],
    "a node of the first release": ["tests/integration/test_upgrade.py", "-m", "soak"],
    "sites from a bundle": ["tests/integration/test_dist.py", "-m", "soak"],
    "attacks and escapes": ["tests/attacks"],
}


def run(arguments: list[str], environment: dict[str, str]) -> dict[str, int]:
    """Counts of one suite, and what its tests noted with record_property."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-o",
            "junit_family=xunit1",
            f"--junitxml={report}",
            *arguments,
        ]
        subprocess.run(command, cwd=ROOT, env=environment, check=False)
        suite = ElementTree.parse(report).getroot().find("testsuite")  # noqa: S314 - our own report
    if suite is None:
        raise SystemExit(f"no result of {' '.join(arguments)}")
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    noted = {each.attrib["name"]: int(each.attrib["value"]) for each in suite.iter("property")}
    return {**counts, "seconds": round(float(suite.attrib["time"])), **noted}


def main(words: list[str]) -> int:
    environment = {"ANSIM_KILLS": "200", "ANSIM_SEED": "20261124", **os.environ}
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    chosen = [name for name in SUITES if not words or any(word in name for word in words)]
    told = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for name in chosen:
        told[name] = {
            "commit": git.stdout.strip(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "seed": int(environment["ANSIM_SEED"]),
            **run(SUITES[name], environment),
        }
        RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))
    return int(any(told[name]["failures"] or told[name]["errors"] for name in chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
