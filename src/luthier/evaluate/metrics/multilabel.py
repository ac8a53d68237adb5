"""Metrics of predictions with any number of labels per row."""

from __future__ import annotations

import numpy as np

from luthier.core.types import Task
from luthier.evaluate.metric import Metric, Statistics, dense, mean, mean_of, ratio
from luthier.evaluate.metrics.classification import f1_of_classes
from luthier.evaluate.predictions import BoolArray, FloatArray, MultilabelPredictions

THRESHOLD = 0.5
TASKS = (Task.MULTILABEL,)
NO_LABELS = "no row has a label, neither in truth nor in prediction"


def chosen(p: MultilabelPredictions) -> BoolArray:
    """Which labels (N, C) are predicted."""
    return np.asarray(p.probabilities >= THRESHOLD)


def _classes(p: MultilabelPredictions) -> Statistics:
    guess = chosen(p)
    return dense(p.truth & guess, p.truth, guess)


def _macro_f1(sums: FloatArray) -> FloatArray:
    return f1_of_classes(*np.split(sums, 3, axis=1))


def _micro_f1(sums: FloatArray) -> FloatArray:
    hits, truth, guess = (part.sum(axis=1) for part in np.split(sums, 3, axis=1))
    return ratio(2 * hits, truth + guess)


def _exact(p: MultilabelPredictions) -> Statistics:
    return mean_of((chosen(p) == p.truth).all(axis=1))


MICRO_F1 = Metric(
    "micro_f1", "micro-F1", "higher", TASKS, _classes, _micro_f1, NO_LABELS, share=True
)
"""F1 over all pairs of row and label."""

MACRO_F1 = Metric(
    "macro_f1", "macro-F1", "higher", TASKS, _classes, _macro_f1, NO_LABELS, share=True
)
"""The unweighted mean of the labels' F1, over the labels met in truth or prediction."""

EXACT = Metric("exact", "exact label set", "higher", TASKS, _exact, mean, counted=True, share=True)
"""The share of rows whose predicted set of labels is the true set."""

METRICS = (MICRO_F1, MACRO_F1, EXACT)
