"""The mean of paired differences, as a finding that is corrected with others."""

from __future__ import annotations

import numpy as np

from luthier.explain.attribution import Floats
from luthier.explain.bias.finding import Finding

FEWEST = 8
"""Differences from which a mean is spoken of."""


def mean_of(measure: str, group: str, values: Floats) -> Finding:
    """The mean of differences (N,) with its 95 % interval by Student's t, not yet corrected;
    "cannot say" of fewer than 8, or of differences that are all the same."""
    from scipy.stats import t

    rows = len(values)
    if rows < FEWEST:
        why = f"{rows} rows hold it, {FEWEST} are needed"
        return Finding(measure, group, rows, "cannot say", why=why)
    value, spread = float(values.mean()), float(values.std(ddof=1) / np.sqrt(rows))
    if spread == 0:
        return Finding(measure, group, rows, "cannot say", why="it moves nothing in any row")
    reach = float(t.ppf(0.975, rows - 1)) * spread
    p_value = float(2 * t.sf(abs(value) / spread, rows - 1))
    return Finding(
        measure, group, rows, "not found", value, value - reach, value + reach, p_value, spread
    )
