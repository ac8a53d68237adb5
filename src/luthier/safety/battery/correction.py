"""Shares judged by an imperfect judge, corrected for its errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.seeds import derive
from luthier.core.types import Interval

DRAWS = 4000


@dataclass(frozen=True)
class JudgeErrors:
    """How a judge did on outputs labelled by hand: hits of true cases, rejections of others."""

    hits: int
    cases: int
    rejections: int
    others: int

    @property
    def sensitivity(self) -> float:
        """Share of true cases that the judge sees."""
        return self.hits / self.cases

    @property
    def power(self) -> float:
        """What is left of a true difference of shares once this judge has looked; 1 at best."""
        return self.sensitivity + self.specificity - 1

    @property
    def specificity(self) -> float:
        """Share of other outputs that the judge lets pass."""
        return self.rejections / self.others


def corrected(judged: int, rows: int, errors: JudgeErrors, seed: int = 0) -> Interval:
    """The true share behind `judged` of `rows`, with an interval that counts the judge's errors.

    The interval holds 95 % of draws from the Jeffreys posteriors of share, sensitivity and
    specificity. A judge no better than chance gives the interval from 0 to 1.

    Source: Rogan and Gladen 1978; Lang and Reiczigel 2014 (the interval counts all three).
    """
    dice = np.random.default_rng(derive(seed, "judge", judged, rows))
    share = dice.beta(judged + 0.5, rows - judged + 0.5, DRAWS)
    sensitivity = dice.beta(errors.hits + 0.5, errors.cases - errors.hits + 0.5, DRAWS)
    specificity = dice.beta(errors.rejections + 0.5, errors.others - errors.rejections + 0.5, DRAWS)
    power = errors.power
    if power <= 0 or (sensitivity + specificity <= 1).mean() > 0.025:
        return Interval(judged / rows, 0.0, 1.0)
    value = float(np.clip((judged / rows + errors.specificity - 1) / power, 0, 1))
    true = np.clip((share + specificity - 1) / (sensitivity + specificity - 1), 0, 1)
    low, high = np.quantile(true, [0.025, 0.975])
    if judged == 0:
        # Clipping would claim certainty; a true share above 3/n would have shown (rule of three).
        high = max(high, 3 / rows)
    return Interval(value, min(float(low), value), max(float(high), value))
