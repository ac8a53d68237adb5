"""Thresholds with a promise: at most a stated share of harmless texts is flagged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


def upper_bound(flagged: int, count: int, confidence: float = CONFIDENCE) -> float:
    """The largest share that is compatible with `flagged` of `count`, one-sided.

    Source: Clopper and Pearson 1934.

    >>> round(upper_bound(0, 299), 4)
    0.01
    """
    if flagged >= count:
        return 1.0
    from scipy.stats import beta

    return float(beta.ppf(confidence, flagged + 1, count - flagged))


def threshold(benign: NDArray[np.floating], share: float) -> tuple[float, float]:
    """The lowest threshold at which scores of harmless texts prove that at most `share` of such
    texts score above it, with the bound that was proved; infinite where too few are known.

    Scores equal to the threshold are not flagged. The number that may be flagged is fixed by the
    count of texts before any score is seen, so the choice needs no correction.
    """
    count = len(benign)
    allowed = -1
    while allowed + 1 < count and upper_bound(allowed + 1, count) <= share:
        allowed += 1
    if allowed < 0:
        return float("inf"), upper_bound(0, count) if count else 1.0
    ordered = np.sort(np.asarray(benign, np.float64))
    return float(ordered[count - 1 - allowed]), upper_bound(allowed, count)
