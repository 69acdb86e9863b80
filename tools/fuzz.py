"""Coverage-guided fuzzing of the parsers of outside input: `python tools/fuzz.py TARGET SECONDS`; without words, each
for a minute. New inputs that reach new code go to build/fuzz; what breaks is printed with its file. Seconds add up in
tests/fuzz/run.json. Needs atheris (`pip install atheris`), which is not in the lock: for those who look for holes.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUN = ROOT / "tests" / "fuzz" / "run.json"


def child(name: str, seconds: int) -> None:
    """One target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["ansim"]):
        import fuzz_targets
    found = ROOT / "build" / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    arguments = [sys.argv[0], str(found), str(fuzz_targets.CORPUS / name), f"-max_total_time={seconds}"]
    atheris.Setup([*arguments, "-max_len=65536", "-rss_limit_mb=3000", f"-artifact_prefix={found}/broken-"],
                  lambda data: fuzz_targets.one(name, data))  # fmt: skip
    atheris.Fuzz()


def main(words: list[str]) -> int:
    import fuzz_targets

    names, seconds = words[:1] or list(fuzz_targets.TARGETS), int(words[1]) if len(words) > 1 else 60
    told = json.loads(RUN.read_text("utf-8")) if RUN.exists() else {}
    broken = 0
    for name in names:
        done = subprocess.run([sys.executable, __file__, "--child", name, str(seconds)], cwd=ROOT, check=False)
        about = told.setdefault(name, {"seconds": 0, "broken": 0})
        about["seconds"] += seconds
        about["broken"] = int(done.returncode != 0)
        broken += about["broken"]
        RUN.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return int(broken > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1:]))
