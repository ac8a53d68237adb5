"""Whether removing some rows did more than removing others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Removal:
    """Scores of an answer after training `without` some rows and without `others`; their
    difference with its 95 % interval, and whether the rows caused it: all of it below 0."""

    without: list[float]
    others: list[float]
    difference: float
    low: float
    high: float

    @property
    def caused(self) -> bool:
        """Whether the answer lost more than by chance."""
        return self.high < 0


def compare(without: Sequence[float], others: Sequence[float]) -> Removal:
    """Both at least twice.

    Source: Welch 1947, "The generalization of Student's problem when several different population
    variances are involved" (unequal spreads).
    """
    from scipy.stats import t

    a, b = np.asarray(without, np.float64), np.asarray(others, np.float64)
    difference = float(a.mean() - b.mean())
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    spread = float(np.sqrt(sum(parts)))
    if spread == 0:
        return Removal(a.tolist(), b.tolist(), difference, difference, difference)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    room = float(t.ppf(0.975, freedom)) * spread
    return Removal(a.tolist(), b.tolist(), difference, difference - room, difference + room)
