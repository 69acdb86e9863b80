"""Search of the catalogue: recall@5 over the 100 questions, and time at 10,000 datasets.

    python benchmarks/catalogue.py [DATASETS]

The questions and the 220 descriptions stand in tests/unit/data/catalogue_world, made before the search was tuned. The
figure without `synonyms.csv` shows what the word list adds: it was written after the questions by the same people, so
recall on questions of others will lie between the two.
"""

import json
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "unit" / "data"))
import catalogue_world as world  # noqa: E402

from ansim.data.catalogue import Index, facets, find, search, words  # noqa: E402


def recall(index: Index) -> dict[str, float]:
    found: dict[str, list[float]] = {"ko": [], "en": []}
    for query in world.queries():
        wanted = world.relevant(query, index.descriptions)
        first = {hit["description"]["id"] for hit in search(index, query["query"], query["language"])[:5]}
        found[query["language"]].append(len(wanted & first) / min(5, len(wanted)))
    return {language: round(statistics.mean(each), 3) for language, each in found.items()}


def times(work: Callable[[dict], object]) -> dict[str, float]:
    took = []
    for query in world.queries():
        started = time.perf_counter()
        work(query)
        took.append(1000 * (time.perf_counter() - started))
    return {"median ms": round(statistics.median(took), 1), "p95 ms": round(sorted(took)[int(len(took) * 0.95)], 1)}


def main(datasets: int = 10_000) -> dict:
    small = Index(world.descriptions())
    with_words = recall(small)
    listed, words.synonyms = words.synonyms, dict
    without = recall(small)
    words.synonyms = listed
    many = world.descriptions(a_topic=-(-datasets // len(world.topics())), seed=7)
    started = time.perf_counter()
    index = Index(many)
    built = time.perf_counter() - started

    def page(query: dict) -> None:
        """What the hub does for one page: find, count the facets, show the first twenty."""
        found = find(index, query["query"], query["language"])
        facets(found)
        found.hits(0, 20)

    return {
        "machine": f"{platform.machine()}, {platform.python_version()}",
        "questions": len(world.queries()),
        "descriptions": len(small.descriptions),
        "recall@5": with_words,
        "recall@5 without the word list": without,
        "datasets": len(many),
        "index made in s": round(built, 2),
        "find, facets, first page": times(page),
        "MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    result = main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "catalogue.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
