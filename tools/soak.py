"""The long suites: power cuts amid messages and amid the whole journey, attacks, sandbox escapes.

Writes docs/soak.json: commit, seed, machine, counts. ANSIM_KILLS (200) and ANSIM_SEED choose how long and which.
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
SUITES = {
    "power cuts amid messages": ["tests/integration/test_crashes.py"],
    "power cuts amid the journey": ["tests/journey/test_kills.py", "-m", "soak"],
    "attacks and escapes": ["tests/attacks"],
}


def run(arguments: list[str], environment: dict[str, str]) -> dict[str, float | int]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        subprocess.run(command, cwd=ROOT, env=environment, check=False)
        found = ElementTree.parse(report).getroot().find("testsuite")  # noqa: S314 - our own report
    facts = found.attrib if found is not None else {}
    counts: dict[str, float | int] = {
        name: int(facts.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
    }
    return {**counts, "seconds": round(float(facts.get("time", 0)))}


def main() -> int:
    environment = {"ANSIM_KILLS": "200", "ANSIM_SEED": "20261124", **os.environ}
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    results = {name: run(arguments, environment) for name, arguments in SUITES.items()}
    told = {
        "commit": git.stdout.strip(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "kills": int(environment["ANSIM_KILLS"]),
        "seed": int(environment["ANSIM_SEED"]),
        "results": results,
    }
    (ROOT / "docs" / "soak.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))
    return int(any(each["failures"] or each["errors"] for each in results.values()))


if __name__ == "__main__":
    sys.exit(main())
