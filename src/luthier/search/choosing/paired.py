"""Paired comparison of two trials on the same validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, wilcoxon

from luthier.search.trial import Observation, Trial


@dataclass(frozen=True)
class Difference:
    """Mean advantage of the first over the second per row, and its standard error.

    It is in shares of right answers where answers are right or wrong, else in nats.
    """

    mean: float
    error: float
    rows: int

    @property
    def chance(self) -> float:
        """Probability that the advantage is real, under a normal approximation."""
        if self.error == 0:
            return 0.5 if self.mean == 0 else float(self.mean > 0)
        return float(norm.cdf(self.mean / self.error))


def difference(first: Observation, second: Observation) -> Difference:
    """The advantage of `first`, by right answers where both have them, else by loss."""
    if first.right is not None and second.right is not None:
        each = first.right.astype(np.float64) - second.right.astype(np.float64)
    elif first.losses is not None and second.losses is not None:
        each = second.losses.astype(np.float64) - first.losses.astype(np.float64)
    else:
        return Difference(0.0, 0.0, 0)
    rows = len(each)
    error = float(each.std(ddof=1) / np.sqrt(rows)) if rows > 1 else 0.0
    return Difference(float(each.mean()), error, rows)


def together(parts: Sequence[Difference]) -> Difference:
    """The advantage over all rows, from differences on rows that do not overlap."""
    rows = sum(d.rows for d in parts)
    if not rows:
        return Difference(0.0, 0.0, 0)
    mean = sum(d.rows * d.mean for d in parts) / rows
    error = float(np.sqrt(sum((d.rows * d.error) ** 2 for d in parts))) / rows
    return Difference(mean, error, rows)


def clearly_worse(trial: Trial, incumbent: Trial, level: float = 0.05) -> bool:
    """Whether the trial's losses are higher than the incumbent's at the same unit.

    One-sided Wilcoxon signed-rank test on the losses of single rows; False where the incumbent
    was not looked at after as many units. Source: Wilcoxon 1945.
    """
    mine = trial.curve[-1]
    theirs = next((o for o in incumbent.curve if o.unit == mine.unit), None)
    if theirs is None or mine.losses is None or theirs.losses is None:
        return False
    each: NDArray[np.float64] = mine.losses.astype(np.float64) - theirs.losses.astype(np.float64)
    if not np.any(each):
        return False
    return bool(wilcoxon(each, alternative="greater").pvalue < level)
