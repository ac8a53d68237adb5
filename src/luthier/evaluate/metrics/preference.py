"""Metrics of preferences between two answers."""

from __future__ import annotations

import numpy as np

from luthier.core.types import Task
from luthier.evaluate.metric import Metric, Statistics, mean, mean_of
from luthier.evaluate.predictions import PreferencePredictions

TASKS = (Task.PREFER,)


def _accuracy(p: PreferencePredictions) -> Statistics:
    return mean_of((np.sign(p.margins) + 1) / 2)


def _margin(p: PreferencePredictions) -> Statistics:
    return mean_of(p.margins)


PAIR_ACCURACY = Metric(
    "pair_accuracy",
    "pair accuracy",
    "higher",
    TASKS,
    _accuracy,
    mean,
    counted=True,
    share=True,
)
"""The share of pairs whose chosen answer wins; a tie counts half."""

MEAN_MARGIN = Metric("mean_margin", "mean margin", "higher", TASKS, _margin, mean)
"""The mean margin of the chosen over the rejected answer."""

METRICS = (PAIR_ACCURACY, MEAN_MARGIN)
