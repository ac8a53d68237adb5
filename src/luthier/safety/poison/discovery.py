"""Control of false discoveries over many tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def discoveries(p_values: NDArray[np.float64], rate: float) -> NDArray[np.bool_]:
    """Which of M hypotheses are rejected (M,) so that at most `rate` of them are expected false.

    Holds for independent and positively dependent tests.

    Source: Benjamini and Hochberg 1995, "Controlling the False Discovery Rate".

    >>> discoveries(np.array([0.001, 0.2, 0.9]), 0.05).tolist()
    [True, False, False]
    """
    order = np.argsort(p_values, kind="stable")
    bounds = rate * np.arange(1, len(p_values) + 1) / max(1, len(p_values))
    below = np.flatnonzero(p_values[order] <= bounds)
    kept = np.zeros(len(p_values), np.bool_)
    if len(below):
        kept[order[: below[-1] + 1]] = True
    return kept
