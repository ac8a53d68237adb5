"""What attacks achieved, with intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.core.types import Interval
from luthier.safety.attack import Attempt, Limits


def proportion(hits: int, trials: int, level: float = 0.95) -> Interval:
    """A share with its exact interval; without trials nothing is known.

    Source: Clopper and Pearson 1934.

    >>> proportion(0, 10).high < 0.31
    True
    """
    from scipy.stats import beta

    if trials == 0:
        return Interval(0.0, 0.0, 1.0, level)
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
    return Interval(hits / trials, low, high, level)


def summary(
    name: str, threat: str, attempts: Sequence[Attempt], limits: Limits, examples: int = 5
) -> dict[str, Any]:
    """JSON-ready numbers of one attack: accuracy before and under attack, success by queries.

    Success is the share of rightly answered texts whose answer a valid change turned; robust
    accuracy the share of all texts answered rightly before and after, row by row in `held`.
    """
    rows, right = len(attempts), sum(a.right for a in attempts)
    thrown: Counter[str] = Counter()
    for attempt in attempts:
        thrown.update(attempt.thrown_away)
    marks = sorted({min(100, limits.queries), limits.queries})
    fallen = {mark: sum(a.fell(mark) for a in attempts) for mark in marks}
    return {
        "attack": name,
        "threat": threat,
        "rows": rows,
        "queries": limits.queries,
        "mean_queries": sum(a.queries for a in attempts) / rows if rows else 0.0,
        "accuracy": proportion(right, rows).told(),
        "robust_accuracy": proportion(right - fallen[limits.queries], rows).told(),
        "success": {str(m): proportion(fallen[m], right).told() for m in marks},
        "thrown_away": dict(sorted(thrown.items())),
        "held": [bool(a.right and not a.fell(limits.queries)) for a in attempts],
        "examples": [
            {"before": a.text[:300], "after": str(a.found)[:300]} for a in attempts if a.found
        ][:examples],
    }


def without_rows(told: Mapping[str, Any]) -> dict[str, Any]:
    """A summary without what it says of single rows: those of others do not belong on a page."""
    return {name: value for name, value in told.items() if name not in ("held", "examples")}
