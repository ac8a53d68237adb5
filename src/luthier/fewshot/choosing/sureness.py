"""How sure a classifier should be, and below which score it should rather not answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.forms.blend import TINY, adjusted

COLDEST, HOTTEST = 0.1, 10.0
DRAWN = 3.0
"""How firmly the logarithm of the temperature is drawn to nothing, in nats per squared unit."""
LEAST_ROWS = 100
"""Held-out rows below which no promise about abstaining is made."""
RISK, CONFIDENCE = 0.1, 0.9
"""Of the texts that are answered so many may be wrong, and how sure that is."""
STEPS = 100


@dataclass(frozen=True)
class Abstention:
    """Answers with at least this `score` are wrong in at most `risk` of cases, and how many of the
    held-out rows are `answered` then."""

    score: float
    risk: float
    confidence: float
    answered: float
    rows: int


def temperature_of(chances: FloatArray, truth: IntArray) -> float:
    """The temperature of least log loss on held-out rows (N, C), drawn to 1 where they are few.

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        return 1.0
    still = np.zeros(chances.shape[1])
    places = np.arange(len(truth))

    def loss(heat: float) -> float:
        right = adjusted(chances, float(np.exp(heat)), still)[places, truth]
        return float(-np.log(np.maximum(right, TINY)).sum() + DRAWN * heat**2)

    ends = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=ends, method="bounded").x))


def abstention_of(
    chances: FloatArray, truth: IntArray, risk: float = RISK, confidence: float = CONFIDENCE
) -> Abstention | None:
    """The lowest score above which at most `risk` of the answers are wrong, or None.

    Thresholds are tried from the strictest on, each by an exact binomial test at level
    1 - `confidence`, until the first fails; the order is fixed beforehand, so the promise holds
    for the one that is kept. With fewer than 100 held-out rows there is none.

    Source: Angelopoulos et al., Learn then Test, 2021, sections 2 and 3 (fixed sequence testing).
    """
    from scipy.stats import binom

    if len(truth) < LEAST_ROWS:
        return None
    sure, wrong = chances.max(axis=1), chances.argmax(axis=1) != truth
    found = None
    # A handful of rows can't pass the test, so the strictest threshold keeps enough of them.
    least = int(np.ceil(np.log(1 - confidence) / np.log(1 - risk)))
    for score in np.quantile(sure, np.linspace(max(0.0, 1 - 2 * least / len(sure)), 0, STEPS)):
        answered = sure >= score
        count, mistakes = int(answered.sum()), int(wrong[answered].sum())
        if binom.cdf(mistakes, count, risk) > 1 - confidence:
            break
        found = Abstention(float(score), risk, confidence, count / len(sure), len(sure))
    return found


def shift_of(counts: IntArray, prior: FloatArray | None) -> FloatArray:
    """What to add to log chances (C,) so that classes are as frequent as `prior` (C,) says, where
    rows were sampled as `counts` (C,); nothing without a prior.

    A class counts half a row more than it has, so that one without rows has a share.
    """
    if prior is None:
        return np.zeros(len(counts))
    sampled = (counts + 0.5) / (counts + 0.5).sum()
    return np.asarray(np.log(np.maximum(prior, TINY)) - np.log(sampled))
