"""Metrics of predicted numbers."""

from __future__ import annotations

import numpy as np

from luthier.core.types import Task
from luthier.evaluate.metric import Metric, Statistics, dense, mean, mean_of, ratio
from luthier.evaluate.predictions import FloatArray, ValuePredictions

TASKS = (Task.REGRESS,)


def _absolute(p: ValuePredictions) -> Statistics:
    return mean_of(np.abs(p.values - p.truth))


def _squared(p: ValuePredictions) -> Statistics:
    return mean_of((p.values - p.truth) ** 2)


def _rmse(sums: FloatArray) -> FloatArray:
    return np.sqrt(mean(sums))


def _variances(p: ValuePredictions) -> Statistics | None:
    if np.ptp(p.truth) == 0:
        return None
    # Centred first: the sum of squares of a large mean would swallow the variance.
    centred = p.truth - p.truth.mean()
    return dense((p.values - p.truth) ** 2, centred**2, centred, np.ones(len(centred)))


def _r2(sums: FloatArray) -> FloatArray:
    errors, squares, total, rows = sums.T
    variance = squares - ratio(total**2, rows)
    # A resample of one repeated row leaves only rounding error as its variance.
    variance = np.where(variance > 1e-12 * squares, variance, 0.0)
    return 1 - ratio(errors, variance)


MAE = Metric("mae", "mean absolute error", "lower", TASKS, _absolute, mean)
"""The mean distance to the true number, in its unit."""

RMSE = Metric("rmse", "root mean squared error", "lower", TASKS, _squared, _rmse)
"""The root of the mean squared error, in the unit of the number."""

R2 = Metric("r2", "R²", "higher", TASKS, _variances, _r2, "every true value is the same")
"""The share of variance explained; below 0 where the mean would do better."""

METRICS = (MAE, RMSE, R2)
