"""Whether a group's harmless rows score above harmful ones, and its harmful ones below harmless.

Source: Borkan et al. 2019, "Nuanced Metrics for Measuring Unintended Bias with Real Data for Text
Classification", section 3.
"""

from __future__ import annotations

import numpy as np

from luthier.explain.attribution import Floats

SUBGROUP, BPSN, BNSP = "subgroup AUC", "BPSN AUC", "BNSP AUC"
"""Within the group; its negatives against everybody else's positives; the other way round."""
NAMES = (SUBGROUP, BPSN, BNSP)


def area(scores: Floats, positive: Floats, negative: Floats) -> Floats:
    """The chance (draws,) that a positive row scores above a negative one, ties counted half.

    `scores` (N,); `positive` and `negative` (draws, N) weigh the rows of either side.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    up = np.add.reduceat(positive[:, order], starts, axis=1)
    down = np.add.reduceat(negative[:, order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    pairs = up.sum(1) * down.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((up * below).sum(1) / pairs)


def areas(
    scores: Floats, truth: np.ndarray, member: np.ndarray, weights: Floats
) -> dict[str, Floats]:
    """The three areas (draws,) of one group; NaN where a side has no row."""
    sides = {
        SUBGROUP: (truth & member, ~truth & member),
        BPSN: (truth & ~member, ~truth & member),
        BNSP: (truth & member, ~truth & ~member),
    }
    return {name: area(scores, weights * up, weights * down) for name, (up, down) in sides.items()}
