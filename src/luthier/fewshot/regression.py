"""Logistic regression with row weights, over classes of which some may have no row."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.evaluate.predictions import FloatArray, IntArray

UNSEEN = 10.0
"""How far below the lowest bias a class without any row lies, in nats."""
_ROUNDS, _CLOSE = 400, 1e-4
MOST = 800
"""Rows up to which finding their own axes costs less than it saves."""
FLAT = 1e-10
"""Axes along which rows vary by less than this share of the longest carry nothing."""


def regress(
    features: Any, truth: IntArray, counts: FloatArray, classes: int, strength: float
) -> tuple[FloatArray, FloatArray]:
    """Weights (C, F) and biases (C,) of a softmax over features (N, F), dense or sparse.

    `counts` (N,) weigh the rows, `strength` is the inverse of the L2 penalty.

    Raises: FixData when fewer than two classes have a row.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(truth)) < 2:
        raise FixData("labels to learn from", "all rows have one class", "at least two classes")
    rows, width = features.shape
    if rows < min(width, MOST):
        axes, seen = own_axes(features)
        low, biases = regress(seen, truth, counts, classes, strength)
        return np.asarray((features.T @ (axes @ low.T)).T), biases
    with warnings.catch_warnings():
        # What a thousandth of the loss is worth does not show in any choice made here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # One row per class is what is meant here, and no sign of a regression problem.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model = LogisticRegression(C=strength, max_iter=_ROUNDS, tol=_CLOSE)
        model.fit(features, truth, sample_weight=counts)
    rows, shift = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(rows) == 1:
        rows, shift = np.concatenate([-rows, rows]) / 2, np.concatenate([-shift, shift]) / 2
    weights = np.zeros((classes, rows.shape[1]))
    biases = np.full(classes, shift.min() - UNSEEN)
    weights[model.classes_], biases[model.classes_] = rows, shift
    return weights, biases


def own_axes(features: Any) -> tuple[FloatArray, FloatArray]:
    """Rows (N, F) on axes of their own: what makes axes of them (N, R), and their places (N, R).

    A penalty on length leaves weights in the span of the rows, so the regression has the same
    answer there, with as many numbers as rows and not as features (Kimeldorf and Wahba, 1970).
    """
    inner = features @ features.T
    inner = inner.toarray() if not isinstance(inner, np.ndarray) else inner
    lengths, axes = np.linalg.eigh(inner)
    kept = lengths > FLAT * lengths[-1]
    lengths, axes = np.sqrt(lengths[kept]), axes[:, kept]
    return axes / lengths, axes * lengths
