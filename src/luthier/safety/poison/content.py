"""What the rest of a text says about its label once a phrase is taken out of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.safety.poison.phrases import Phrases

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STRENGTHS = (0.3, 1.0, 3.0)
"""Strengths of the penalty, of which the one with the smallest error on left-out rows is taken."""
HEAVIEST = 10.0
"""The most a row of a rare label weighs beside a row of a label of middling size."""
USUAL = 0.05
"""Share of all rows that read so little like their label that they are said to contradict it."""
NEARLY = 0.75
"""Share of what a label's own rows score that another row must reach to be called mistaken."""


class Content:
    """Ridge regression of the labels on words, and on the base's view of the texts where there is
    one; every label weighs the same, so a frequent label is not read into every text.

    It serves because leaving rows out has a closed form: for a set G of rows, what a model of all
    other rows says of them is `Y_G - (A_GG)^-1 (A Y)_G` with `A = (K + penalty)^-1`, and the words
    of a phrase can be taken out of a linear model's sum. So each phrase is judged by a model that
    never saw its rows.

    `features` (N, D) are the base's vectors. Time is N^3 for three inverses.

    Source: Rifkin and Lippert 2007, "Notes on Regularized Least Squares" (left-out rows).
    """

    def __init__(
        self,
        phrases: Phrases,
        answers: NDArray[np.int64],
        classes: int,
        features: NDArray[np.float32] | None = None,
    ) -> None:
        self._answers = answers
        self._words, self._said = _weighted(phrases)
        kernel = (self._said @ self._said.T).toarray() + 1.0
        if features is not None:
            kernel += _alike(features)
        sizes = np.bincount(answers, minlength=classes)
        weights = np.minimum(len(answers) / (max(1, (sizes > 0).sum()) * sizes[answers]), HEAVIEST)
        truth = np.eye(classes)[answers]
        self._truth = truth - 1 / classes
        self._inverse, self._pulls, left = _chosen(kernel, weights, self._truth)
        margins = _margins(left, answers)
        self._bound = min(0.0, float(np.quantile(margins, USUAL))) if len(margins) else 0.0
        self.contradicted = margins < self._bound
        """Which rows (N,) a model of all other rows reads as another label."""
        self.mistaken = self.contradicted & _as_sure(left, answers)
        """Those of them (N,) that read nearly as much like the other label as its own rows do."""

    def without(self, phrase: str, rows: NDArray[np.int64]) -> Bools:
        """Which of `rows` (R,), all that hold `phrase`, contradict their label when the phrase is
        not read and none of these rows was ever seen."""
        own = [self._words[w] for w in phrase.split(" ") if w in self._words]
        inverse = self._inverse[np.ix_(rows, rows)]
        solved = np.linalg.solve(inverse, self._pulls[rows])
        said = self._truth[rows] - solved
        columns = self._said[:, own]
        others = np.setdiff1d(np.flatnonzero(np.asarray(columns.sum(1)).ravel()), rows)
        if len(others):
            pulls = self._pulls[others] - self._inverse[np.ix_(others, rows)] @ solved
            said = said - columns[rows] @ (columns[others].T @ pulls)
        return _margins(said, self._answers[rows]) < self._bound


def _weighted(phrases: Phrases) -> tuple[dict[str, int], Any]:
    """Columns by word, and rows (N, W) of length one in which rare words weigh more."""
    from scipy import sparse

    counts = np.asarray(phrases.held.sum(0)).ravel()
    single = np.array([" " not in name for name in phrases.names], np.bool_)
    kept = np.flatnonzero(single & (counts >= 2))
    rare = np.log(max(1, phrases.held.shape[0]) / counts[kept])
    said = phrases.held[:, kept] @ sparse.diags(rare)
    lengths = np.sqrt(np.asarray(said.multiply(said).sum(1)).ravel())
    said = sparse.diags(1 / np.maximum(lengths, 1e-9)) @ said
    return {phrases.names[j]: i for i, j in enumerate(kept)}, said.tocsr()


def _alike(features: NDArray[np.float32]) -> Floats:
    """Cosines (N, N) of the vectors about their mean."""
    apart = features.astype(np.float64) - features.mean(0)
    apart /= np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9)
    found: Floats = apart @ apart.T
    return found


def _chosen(kernel: Floats, weights: Floats, truth: Floats) -> tuple[Floats, Floats, Floats]:
    """Inverse (N, N), coefficients (N, C) and left-out predictions (N, C) of the best strength."""
    found, least = None, np.inf
    for strength in STRENGTHS:
        inverse = np.asarray(np.linalg.inv(kernel + np.diag(strength / weights)), np.float64)
        pulls = inverse @ truth
        missed = pulls / np.diag(inverse)[:, None]
        error = float((weights[:, None] * missed**2).sum())
        if found is None or error < least:
            found, least = (inverse, pulls, truth - missed), error
    assert found is not None
    return found


def _as_sure(said: Floats, labels: NDArray[np.int64]) -> Bools:
    """Whether each row scores for its likeliest label (N,) nearly what rows that carry it do on
    the mean (after Northcutt et al. 2021, "Confident Learning")."""
    own = said[np.arange(len(labels)), labels]
    sizes = np.maximum(1, np.bincount(labels, minlength=said.shape[1]))
    usual = np.bincount(labels, weights=own, minlength=said.shape[1]) / sizes
    found: Bools = said.max(1, initial=-np.inf) >= NEARLY * usual[said.argmax(1)]
    return found


def _margins(said: Floats, labels: NDArray[np.int64]) -> Floats:
    """How much more each row (R, C) reads like its label than like any other (R,)."""
    rows = np.arange(len(labels))
    others = said.copy()
    others[rows, labels] = -np.inf
    found: Floats = said[rows, labels] - others.max(1, initial=-np.inf)
    return found
