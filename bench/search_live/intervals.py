"""Intervals of a mean gain, by drawing what was measured anew."""

from __future__ import annotations

from typing import Any

import numpy as np

DRAWS = 10_000

Gains = np.ndarray[Any, np.dtype[np.float64]]


def ends(gains: Gains) -> tuple[float, float]:
    """Ends of the interval (95 %) of the mean of `gains` (N,), one per row or per set."""
    chance = np.random.default_rng(0)
    means = [gains[chance.integers(len(gains), size=len(gains))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
