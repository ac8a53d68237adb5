"""How likely a training row is to carry a wrong label, from what the model made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.explain.attribution import Floats
from luthier.explain.influence import Traces
from luthier.explain.rows.control import lengths

FOLDS = 5


@dataclass(frozen=True)
class Suspicions:
    """Each signal's rank among the rows (N,), 0 the least and 1 the most suspicious; `together`
    is the mean of them. `answers` (N, C) are chances by models that did not see the row."""

    signals: dict[str, Floats]
    together: Floats
    answers: Floats


def suspicions(rows: Traces, labels: NDArray[np.int64], classes: int, seed: int) -> Suspicions:
    """From the loss after training, the length of the gradient, and the chance that a linear
    model on the untouched base gives the label of a row it did not see."""
    answers = unseen(rows.vectors, labels, classes, seed)
    signals = {
        "loss": ranks(rows.losses),
        "self-influence": ranks(lengths(rows.gradients)),
        "out of fold": ranks(1 - answers[np.arange(len(labels)), labels]),
    }
    return Suspicions(signals, np.mean(list(signals.values()), axis=0), answers)


def ranks(values: Floats) -> Floats:
    """Places from 0 to 1, the largest value last; equal ones share theirs."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(values) - 1) / max(1, len(values) - 1))


def unseen(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], classes: int, seed: int
) -> Floats:
    """Chances of each class (N, C) by logistic regression on the other folds.

    A class of fewer rows than folds is not always learned; its chance may then be 0.

    Source: Northcutt, Jiang and Chuang 2021, "Confident Learning", section 3 (out-of-sample
    probabilities).
    """
    from sklearn.linear_model import LogisticRegression

    middle, spread = vectors.mean(0), vectors.std(0)
    scaled = (vectors - middle) / np.where(spread > 0, spread, 1.0)
    found = np.zeros((len(labels), classes))
    order = np.random.default_rng(seed).permutation(len(labels))
    # Rows of one class are dealt out one by one, so that each fold holds its share.
    dealt = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[dealt] = np.arange(len(labels)) % FOLDS
    for number in range(FOLDS):
        held, rest = fold == number, fold != number
        known = np.unique(labels[rest])
        if len(known) < 2:
            found[np.ix_(held, known)] = 1.0
            continue
        model = LogisticRegression(C=0.01, max_iter=500).fit(scaled[rest], labels[rest])
        found[np.ix_(held, model.classes_)] = model.predict_proba(scaled[held])
    return found
