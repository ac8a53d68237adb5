"""The logarithm of the expected improvement, finite everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log1p, log_ndtr, ndtr

Array = NDArray[np.float64]

_HALF_LOG = 0.5 * np.log(2 * np.pi)
_FAR = -1e5


def log_expected_improvement(mean: Array, deviation: Array, best: float | Array) -> Array:
    """log E[max(0, final - best)] (N,), finite however hopeless a candidate is.

    `best` is the predicted final value of the incumbent, not what it shows now.
    Source: Ament et al. 2023.
    """
    width = np.maximum(np.asarray(deviation, np.float64), 1e-9)
    return np.asarray(_log_gain((np.asarray(mean, np.float64) - best) / width) + np.log(width))


def log_provable_improvement(mean: Array, deviation: Array, best: Array, least: float) -> Array:
    """log E[(final - best) where final > least] (N,), each with its own `best` (N,): gains that are
    too small to be proved on the rows at hand would not ship, and count for nothing.
    """
    width = np.maximum(np.asarray(deviation, np.float64), 1e-9)
    bar = np.maximum(best, least)
    jump = np.maximum(bar - best, 1e-300)
    above = log_ndtr((np.asarray(mean, np.float64) - bar) / width) + np.log(jump)
    return np.asarray(np.logaddexp(log_expected_improvement(mean, deviation, bar), above))


def _log_gain(z: Array) -> Array:
    """log(density(z) + z probability(z)) of the standard normal."""
    near = np.maximum(z, -1.0)
    plain = np.log(np.exp(-0.5 * near**2 - _HALF_LOG) + near * ndtr(near))
    middle = np.clip(z, _FAR, -1.0)
    ratio = -middle * erfcx(-middle / np.sqrt(2)) * np.sqrt(np.pi / 2)
    low = -0.5 * middle**2 - _HALF_LOG + log1p(-np.minimum(ratio, 1 - 1e-15))
    far = np.minimum(z, _FAR)
    end = -0.5 * far**2 - _HALF_LOG - 2 * np.log(-far)
    return np.asarray(np.where(z > -1, plain, np.where(z > _FAR, low, end)))
