"""Is the tuned model better than its base? The plain twin of the report's comparison.

What: both models answer the same rows. Rows are drawn with replacement, both accuracies are
computed on the same draw, and their difference is noted; the middle 95 % of a thousand differences
are the interval. The p-value is McNemar's exact test: of the rows that only one model got right,
how many fell to the tuned one, against a fair coin.

Why: two separate intervals may overlap although the difference is sure, because hard rows are hard
for both. Pairing takes the difficulty of the rows out of the comparison.

Sources: Efron 1979, "Bootstrap Methods: Another Look at the Jackknife"; McNemar 1947, "Note on the
sampling error of the difference between correlated proportions".

    python examples/paired_bootstrap.py
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

Right = NDArray[np.bool_]
"""Whether each row was answered rightly (N,)."""


@dataclass(frozen=True)
class Difference:
    """Tuned minus base: the point, the ends of its 95 % interval, and the p-value."""

    value: float
    low: float
    high: float
    p_value: float


def compare(base: Right, tuned: Right, draws: int = 1000, seed: int = 0) -> Difference:
    """The difference in accuracy on the same rows."""
    rows = len(base)
    random = np.random.default_rng(seed)
    differences = []
    for _ in range(draws):
        picked = random.integers(0, rows, size=rows)
        differences.append(tuned[picked].mean() - base[picked].mean())
    low, high = np.quantile(differences, [0.025, 0.975])
    value = float(tuned.mean() - base.mean())
    return Difference(value, float(low), float(high), mcnemar(base, tuned))


def mcnemar(base: Right, tuned: Right) -> float:
    """The exact two-sided p-value of the rows on which the models disagree."""
    gained = int((tuned & ~base).sum())
    lost = int((base & ~tuned).sum())
    fewer, count = min(gained, lost), gained + lost
    tail = sum(comb(count, k) for k in range(fewer + 1)) / 2**count
    return min(1.0, 2 * tail)


def single_interval(right: Right, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of one model's accuracy."""
    random = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        values.append(right[random.integers(0, len(right), size=len(right))].mean())
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def tiny_answers(rows: int = 200, seed: int = 0) -> tuple[Right, Right]:
    """A base that is right on about 70 % of the rows, and a tuned model that mends a few."""
    random = np.random.default_rng(seed)
    base = random.random(rows) < 0.70
    tuned = np.where(base, random.random(rows) < 0.98, random.random(rows) < 0.25)
    return base, tuned


if __name__ == "__main__":
    before, after = tiny_answers()
    found = compare(before, after)
    print("base   {:.3f}  from {:.3f} to {:.3f}".format(before.mean(), *single_interval(before)))
    print("tuned  {:.3f}  from {:.3f} to {:.3f}".format(after.mean(), *single_interval(after)))
    print(f"difference {found.value:+.3f}  from {found.low:+.3f} to {found.high:+.3f}")
    print(f"p-value {found.p_value:.2g}")
