"""Accuracy in use: without labels from confidence, with a few from prediction-powered inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun
from luthier.core.types import Interval


@dataclass(frozen=True)
class ConfidenceThreshold:
    """The confidence above which as many held-out rows lie as were answered rightly.

    Source: Garg et al. 2022, "Leveraging Unlabeled Data to Predict Out-of-Distribution
    Performance" (average thresholded confidence).
    """

    threshold: float
    right: float
    rows: int

    @staticmethod
    def of(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> ConfidenceThreshold:
        """Learnt from held-out rows (N,).

        Raises: CheckRun for fewer than 20 rows.
        """
        if len(confidence) < 20:
            raise CheckRun(
                "the accuracy estimate", f"there are {len(confidence)} held-out rows", "at least 20"
            )
        share = float(right.mean())
        threshold = float(np.quantile(confidence, 1 - share)) if share < 1 else float(-np.inf)
        return ConfidenceThreshold(threshold, share, len(confidence))

    def accuracy(self, confidence: NDArray[np.float64]) -> Interval:
        """The estimated accuracy on requests with these confidences (M,).

        The interval counts the sampling of requests and of held-out rows, not a shift that makes
        confidence itself misleading.
        """
        value = float((confidence > self.threshold).mean())
        spread = value * (1 - value) / len(confidence) + self.right * (1 - self.right) / self.rows
        reach = 1.96 * float(np.sqrt(max(spread, 1e-12)))
        return Interval(value, max(0.0, value - reach), min(1.0, value + reach))


def prediction_powered(
    guessed: NDArray[np.float64], known: NDArray[np.float64], guessed_known: NDArray[np.float64]
) -> Interval:
    """The mean of a quantity over all requests, from guesses for all and the truth for a few.

    `guessed` (M,) are guesses for requests without labels, `known` (n,) the truth of others and
    `guessed_known` (n,) the guesses for those. Right whatever the guesses are worth, and narrow
    when they are good. The labelled requests must be drawn at random.

    Raises: CheckRun for fewer than two labelled or unlabelled requests.

    Source: Angelopoulos et al. 2023, "Prediction-Powered Inference", proposition 1.
    """
    if len(known) < 2 or len(guessed) < 2 or len(known) != len(guessed_known):
        raise CheckRun(
            "the prediction-powered estimate",
            f"there are {len(known)} labels for {len(guessed_known)} guesses "
            f"and {len(guessed)} other guesses",
            "at least two of each, one label for each guess",
        )
    gaps = known - guessed_known
    # How far the guesses are trusted; 0 forgets them (Angelopoulos et al. 2023b, PPI++).
    together = np.concatenate([guessed, guessed_known])
    width = float(together.var()) * (1 + len(known) / len(guessed))
    trust = float(np.cov(known, guessed_known)[0, 1] / width) if width else 0.0
    trust = float(np.clip(trust, 0.0, 1.0))
    gaps = known - trust * guessed_known
    value = trust * float(guessed.mean()) + float(gaps.mean())
    spread = trust**2 * guessed.var(ddof=1) / len(guessed) + gaps.var(ddof=1) / len(known)
    reach = 1.96 * float(np.sqrt(spread))
    return Interval(value, value - reach, value + reach)
