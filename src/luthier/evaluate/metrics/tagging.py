"""Metrics of predicted spans: a span is right when start, end and label are all right."""

from __future__ import annotations

import numpy as np

from luthier.core.types import Task
from luthier.evaluate.metric import Metric, Statistics, dense, ratio
from luthier.evaluate.predictions import FloatArray, SpanPredictions

TASKS = (Task.TAG,)


def _counts(p: SpanPredictions) -> Statistics:
    pairs = [(set(truth), set(spans)) for truth, spans in zip(p.truth, p.spans, strict=True)]
    return dense(np.array([(len(t & s), len(t), len(s)) for t, s in pairs]))


def _precision(sums: FloatArray) -> FloatArray:
    return ratio(sums[:, 0], sums[:, 2])


def _recall(sums: FloatArray) -> FloatArray:
    return ratio(sums[:, 0], sums[:, 1])


def _f1(sums: FloatArray) -> FloatArray:
    return ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2])


F1 = Metric(
    "entity_f1",
    "entity F1",
    "higher",
    TASKS,
    _counts,
    _f1,
    "there are no spans, neither in truth nor in prediction",
    share=True,
)
"""The harmonic mean of precision and recall over all spans."""

PRECISION = Metric(
    "entity_precision",
    "entity precision",
    "higher",
    TASKS,
    _counts,
    _precision,
    "no span was predicted",
    share=True,
)
"""The share of predicted spans that are true."""

RECALL = Metric(
    "entity_recall",
    "entity recall",
    "higher",
    TASKS,
    _counts,
    _recall,
    "there is no true span",
    share=True,
)
"""The share of true spans that are predicted."""

METRICS = (F1, PRECISION, RECALL)
