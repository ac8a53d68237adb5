"""How scores become the values that are modelled, and how large their noise is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from luthier.search.models.posterior import Belief
from luthier.search.scale import Scale

Array = NDArray[np.float64]

SOFT = 0.5
"""Below the anchor a relative value is compressed: how bad a useless trial is teaches little, and
one collapsed trial must not outweigh all others."""

STEEPEST = 2.0
"""A deviation grows at most so much on the way back, so that hopeless trials stay hopeless."""

OWN = 0.5
"""Share of the sampling error that is a trial's own. All trials are measured on the same rows, so
most of the error moves all of them together and does not change which is better. On two recorded
tasks, answers of pairs of trials differed as they would with a share of 0.34 to 0.43."""

ROWS = 200
"""Validation rows of a record that does not say how many it had."""

LOWEST = 0.1
"""How far below the worst finished trial a diverged one is placed, at least."""

NEVER = -0.5
"""Value of a diverged trial when no other trial has been seen."""


def soften(relative: Array) -> Array:
    """Modelled values of relative scores."""
    below = np.minimum(relative, 0.0)
    return np.asarray(np.maximum(relative, 0.0) - SOFT * np.log1p(-below / SOFT))


def harden(values: Array) -> Array:
    """The way back."""
    below = np.minimum(values, 0.0)
    return np.asarray(np.maximum(values, 0.0) - SOFT * np.expm1(-below / SOFT))


def belief(mean: Array, deviation: Array) -> Belief:
    """A belief about relative scores from one about modelled values."""
    steep = np.minimum(np.exp(-np.minimum(mean, 0.0) / SOFT), STEEPEST)
    return Belief(harden(mean), np.asarray(deviation * steep))


def own_noise(scale: Scale, score: float, rows: int) -> float:
    """Deviation of a trial's own sampling error on the modelled scale."""
    return OWN * scale.noise(score, rows if rows > 0 else ROWS)


def sunk(values: Array) -> float:
    """The value of a diverged trial, below all these."""
    if not len(values):
        return NEVER
    worst, best = float(values.min()), float(values.max())
    return worst - max(LOWEST, 0.25 * (best - worst))
