"""How good a linkage is, where the truth is known (generated people)."""

from collections.abc import Iterable, Sequence


def score(found: Iterable[Sequence], truth: Iterable[Sequence]) -> dict[str, float]:
    """{"precision", "recall", "f1", "true", "false", "missed"} of found pairs against true pairs; empty sets give 0."""
    pairs, true = {tuple(pair) for pair in found}, {tuple(pair) for pair in truth}
    right = len(pairs & true)
    precision = right / len(pairs) if pairs else 0.0
    recall = right / len(true) if true else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "true": right,
        "false": len(pairs) - right,
        "missed": len(true) - right,
    }
