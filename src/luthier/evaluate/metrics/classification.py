"""Metrics of single-label predictions."""

from __future__ import annotations

import numpy as np

from luthier.core.types import Task
from luthier.evaluate.metric import (
    Metric,
    Statistics,
    dense,
    mean,
    mean_of,
    one_hot,
    ratio,
    side_by_side,
)
from luthier.evaluate.predictions import ClassPredictions, FloatArray, IntArray

BINS = 15
TASKS = (Task.CLASSIFY,)


def predicted(p: ClassPredictions) -> IntArray:
    """The most probable label of each row (N,), the first one at a tie."""
    return np.asarray(p.probabilities.argmax(axis=1))


def true_probability(p: ClassPredictions) -> FloatArray:
    """The probability given to the true label (N,)."""
    return np.asarray(_normal(p)[np.arange(len(p.truth)), p.truth])


def confidence_bins(p: ClassPredictions) -> tuple[IntArray, FloatArray, FloatArray]:
    """For each row its bin, confidence and whether it is right, in 15 bins of equal width.

    A confidence on a border belongs to the lower bin.
    """
    confidence = _normal(p).max(axis=1)
    bins = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(int)
    return bins, confidence, (predicted(p) == p.truth).astype(float)


def confusion(p: ClassPredictions) -> IntArray:
    """Counts (C, C): rows are true labels, columns predicted ones."""
    classes = len(p.labels)
    cells = p.truth * classes + predicted(p)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def f1_of_classes(hits: FloatArray, truth: FloatArray, guess: FloatArray) -> FloatArray:
    """The mean F1 (draws,) over the classes met in truth or prediction; inputs (draws, C)."""
    met = (truth + guess) > 0
    scores = np.divide(2 * hits, truth + guess, out=np.zeros_like(hits), where=met)
    return ratio(scores.sum(axis=1), met.sum(axis=1).astype(float))


def _normal(p: ClassPredictions) -> FloatArray:
    probabilities = np.clip(p.probabilities.astype(np.float64), 0, 1)
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def _accuracy(p: ClassPredictions) -> Statistics:
    return mean_of(predicted(p) == p.truth)


def _classes(p: ClassPredictions) -> Statistics:
    guess, classes = predicted(p), len(p.labels)
    hits = one_hot(p.truth, classes, guess == p.truth)
    return side_by_side(hits, one_hot(p.truth, classes), one_hot(guess, classes))


def _macro_f1(sums: FloatArray) -> FloatArray:
    hits, truth, guess = np.split(sums, 3, axis=1)
    return f1_of_classes(hits, truth, guess)


def _mcc(sums: FloatArray) -> FloatArray:
    hits, truth, guess = np.split(sums, 3, axis=1)
    rows = truth.sum(axis=1)
    top = hits.sum(axis=1) * rows - (truth * guess).sum(axis=1)
    left = rows**2 - (guess**2).sum(axis=1)
    right = rows**2 - (truth**2).sum(axis=1)
    return ratio(top, np.sqrt(np.maximum(left, 0)) * np.sqrt(np.maximum(right, 0)))


def _ece_bins(p: ClassPredictions) -> Statistics:
    bins, confidence, right = confidence_bins(p)
    return side_by_side(one_hot(bins, BINS, confidence - right), dense(np.ones(len(bins))))


def _ece(sums: FloatArray) -> FloatArray:
    return ratio(np.abs(sums[:, :BINS]).sum(axis=1), sums[:, BINS])


def _brier(p: ClassPredictions) -> Statistics:
    probabilities = _normal(p)
    squares = (probabilities**2).sum(axis=1) - 2 * true_probability(p) + 1
    return mean_of(np.maximum(squares, 0))


def _log_loss(p: ClassPredictions) -> Statistics:
    return mean_of(-np.log(np.maximum(true_probability(p), np.finfo(np.float64).eps)))


ACCURACY = Metric(
    "accuracy", "accuracy", "higher", TASKS, _accuracy, mean, counted=True, share=True
)
"""The share of rows whose most probable label is the true one."""

MACRO_F1 = Metric("macro_f1", "macro-F1", "higher", TASKS, _classes, _macro_f1, share=True)
"""The unweighted mean of the classes' F1, over the classes met in truth or prediction."""

MCC = Metric(
    "mcc",
    "Matthews correlation",
    "higher",
    TASKS,
    _classes,
    _mcc,
    "the truth or the predictions hold one class only",
)
"""The correlation of truth and prediction, -1 to 1.

Source: Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient,
2004.
"""

ECE = Metric("ece", "calibration error (ECE)", "lower", TASKS, _ece_bins, _ece)
"""The mean gap between confidence and accuracy in 15 bins of equal width.

Source: Guo et al., On Calibration of Modern Neural Networks, 2017, equation 3.
"""

BRIER = Metric("brier", "Brier score", "lower", TASKS, _brier, mean)
"""The mean squared distance of the probabilities to the truth, summed over classes: 0 to 2.

Source: Brier, Verification of forecasts expressed in terms of probability, 1950.
"""

LOG_LOSS = Metric("log_loss", "log loss", "lower", TASKS, _log_loss, mean)
"""The mean negative logarithm, in nats, of the true label's probability (at least 2.2e-16)."""

METRICS = (ACCURACY, MACRO_F1, MCC, ECE, BRIER, LOG_LOSS)
