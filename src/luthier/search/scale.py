"""Scores of all metrics on one scale, relative to the task's own anchor: higher is better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

EDGE = 0.002
"""Shares are kept this far from 0 and 1, where the logit has no end."""


@dataclass(frozen=True)
class Scale:
    """How a metric is compared across tasks.

    A `share` (accuracy, F1, anything from 0 to 1) becomes logit(score) - logit(anchor); any other
    metric becomes the logarithm of its ratio to the anchor, turned so that higher is better. The
    anchor is what the untouched base reaches, known before the first trial.
    """

    share: bool
    direction: Literal["higher", "lower"]
    anchor: float

    def relative(self, scores: Any) -> NDArray[np.float64]:
        """Relative values of scores, of the same shape; NaN stays NaN."""
        values = np.asarray(scores, np.float64)
        sign = 1.0 if self.direction == "higher" else -1.0
        if self.share:
            return np.asarray(sign * (_logit(values) - _logit(np.float64(self.anchor))))
        floor = 1e-9
        ratio = np.maximum(values, floor) / max(self.anchor, floor)
        return np.asarray(sign * np.log(ratio))

    def score(self, relative: Any) -> NDArray[np.float64]:
        """The way back."""
        values = np.asarray(relative, np.float64)
        sign = 1.0 if self.direction == "higher" else -1.0
        if self.share:
            return np.asarray(1 / (1 + np.exp(-(sign * values + _logit(np.float64(self.anchor))))))
        return np.asarray(max(self.anchor, 1e-9) * np.exp(sign * values))

    def step(self, score: float, gain: float) -> float:
        """Relative units that a gain is worth at a score.

        The gain is in the score's own unit for a share (0.01 is a point), else a part of the score.
        """
        if self.share:
            p = min(1 - EDGE, max(EDGE, score))
            return gain / (p * (1 - p))
        return gain

    def noise(self, score: float, rows: int) -> float:
        """Standard error of a relative value measured on so many rows (delta method)."""
        if self.share:
            p = min(1 - EDGE, max(EDGE, score))
            return 1 / math.sqrt(max(1, rows) * p * (1 - p))
        return 1 / math.sqrt(max(1, rows))


def _logit(values: Any) -> Any:
    inside = np.clip(values, EDGE, 1 - EDGE)
    return np.log(inside) - np.log1p(-inside)
