"""What little effort achieves: the answers a tuned classifier has to beat."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.evaluate.predictions import ClassPredictions, FloatArray, IntArray

PROBE_STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
LEXICAL_STRENGTHS = (3.0, 30.0)
ZERO_SHOT_TEMPERATURE = 0.05
NAMES_TEMPERATURE = 0.1
"""Twice as warm where training begins at the names: it has to be able to leave them."""
STILL = 1e-4
"""A feature that varies by less than this share of the middle one counts as constant."""


@dataclass(frozen=True)
class MajorityClass:
    """Gives every row the training frequencies of the labels, so the commonest one wins."""

    labels: tuple[str, ...]
    shares: FloatArray

    @classmethod
    def fit(cls, labels: tuple[str, ...], truth: IntArray) -> MajorityClass:
        """Counts the training labels `truth` (N,)."""
        _require(truth)
        counts = np.bincount(truth, minlength=len(labels))
        return cls(labels, counts / counts.sum())

    def predict(self, truth: IntArray, rows: IntArray) -> ClassPredictions:
        """The same probabilities for every row."""
        return ClassPredictions(self.labels, truth, np.tile(self.shares, (len(rows), 1)), rows)


@dataclass(frozen=True)
class LinearProbe:
    """Multinomial logistic regression on the untouched model's features.

    Source: Alain and Bengio, Understanding intermediate layers using linear classifier probes,
    2016. `start` is the gentlest of the fits whose validation accuracy is within one standard
    error of the best: as good a place to train from, with more left to learn there.
    """

    labels: tuple[str, ...]
    mean: FloatArray
    scale: FloatArray
    model: Any
    strength: float
    start: Any

    @classmethod
    def fit(
        cls,
        labels: tuple[str, ...],
        train: tuple[FloatArray, IntArray],
        validation: tuple[FloatArray, IntArray],
    ) -> LinearProbe:
        """Fits on standardised features (N, D) and labels (N,) of `train`.

        The inverse regularisation strength is the one of six with the best validation accuracy,
        the smallest at a tie; without validation rows the largest.

        Raises: FixData when there are no rows or only one label.
        """
        features, truth = np.asarray(train[0], dtype=np.float32), train[1]
        _require(truth, 2)
        mean, spread = features.mean(axis=0), features.std(axis=0)
        # A feature that never moves keeps rounding noise, which must not become a huge weight.
        scale = np.where(spread > STILL * np.median(spread), spread, 1.0)
        scaled = (features - mean) / scale
        checked = (
            np.asarray(validation[0], dtype=np.float32).reshape(-1, len(mean)) - mean
        ) / scale
        tried = _tried(PROBE_STRENGTHS, (scaled, truth), (checked, validation[1]))
        best = _best(tried)
        return cls(labels, mean, scale, best.model, best.strength, _gentlest(tried, best).model)

    def linear(self, start: bool = False, share: float = 1.0) -> tuple[FloatArray, FloatArray]:
        """The best fit, or where training starts, as a layer on raw features: (C, D) and (C,).

        A label that training never saw gets the lowest bias. With a `share` below 1 all is that
        much smaller: the layer answers the same, but less surely.
        """
        model = self.start if start else self.model
        rows = np.asarray(model.coef_) / self.scale
        shift = np.asarray(model.intercept_) - rows @ self.mean
        if len(rows) == 1:
            rows, shift = np.stack([-rows[0], rows[0]]) / 2, np.asarray([-shift[0], shift[0]]) / 2
        weights = np.zeros((len(self.labels), rows.shape[1]))
        biases = np.full(len(self.labels), shift.min() - 10.0)
        weights[model.classes_], biases[model.classes_] = rows, shift
        return share * weights, share * biases

    def predict(self, features: FloatArray, truth: IntArray, rows: IntArray) -> ClassPredictions:
        """Probabilities from features (N, D)."""
        scaled = (np.asarray(features, dtype=np.float64) - self.mean) / self.scale
        return ClassPredictions(self.labels, truth, _spread(self.model, scaled, self.labels), rows)


@dataclass(frozen=True)
class Lexical:
    """Words and character sequences weighted by TF-IDF, then logistic regression."""

    labels: tuple[str, ...]
    vectorizer: Any
    model: Any
    strength: float

    @classmethod
    def fit(
        cls,
        labels: tuple[str, ...],
        train: tuple[Sequence[str], IntArray],
        validation: tuple[Sequence[str], IntArray],
    ) -> Lexical:
        """Fits on texts and labels (N,) of `train`; the strength is chosen on `validation`.

        Raises: FixData when there are no rows or only one label.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_union

        _require(train[1], 2)
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        vectorizer = make_union(words, letters)
        try:
            features = vectorizer.fit_transform(train[0])
        except ValueError as error:
            raise FixData("training texts", "there is no word in any text") from error
        checked = vectorizer.transform(validation[0]) if len(validation[0]) else features[:0]
        best = _best(_tried(LEXICAL_STRENGTHS, (features, train[1]), (checked, validation[1])))
        return cls(labels, vectorizer, best.model, best.strength)

    def predict(self, texts: Sequence[str], truth: IntArray, rows: IntArray) -> ClassPredictions:
        """Probabilities for N texts."""
        features = self.vectorizer.transform(texts)
        return ClassPredictions(
            self.labels, truth, _spread(self.model, features, self.labels), rows
        )


@dataclass(frozen=True)
class LabelNames:
    """Zero-shot: the label whose name lies closest to the text in the model's own space.

    Probabilities are a softmax of cosines over a fixed temperature of 0.05; they rank labels and
    are not calibrated.
    """

    labels: tuple[str, ...]
    vectors: FloatArray

    def predict(self, texts: FloatArray, truth: IntArray, rows: IntArray) -> ClassPredictions:
        """Probabilities from text vectors (N, D) against the label vectors (C, D)."""
        scores = _unit(texts) @ _unit(self.vectors).T / ZERO_SHOT_TEMPERATURE
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        return ClassPredictions(self.labels, truth, probabilities, rows)

    def linear(self) -> tuple[FloatArray, FloatArray]:
        """A layer on raw features that scores by the names, to begin training at: (C, D), (C,).

        Texts are taken to be as long as names are, so no row is looked at.
        """
        names = _unit(self.vectors)
        length = float(np.linalg.norm(self.vectors, axis=1).mean()) or 1.0
        weights = (names - names.mean(axis=0)) / (NAMES_TEMPERATURE * length)
        return weights, np.zeros(len(self.labels))


def humanise(label: str) -> str:
    """A label name as words, for embedding.

    >>> humanise("card_arrival"), humanise("lostCard-2")
    ('card arrival', 'lost card 2')
    """
    parts = "".join(
        f" {c}" if c.isupper() and i and label[i - 1].islower() else c for i, c in enumerate(label)
    )
    return " ".join(parts.replace("_", " ").replace("-", " ").split()).lower()


@dataclass(frozen=True)
class _Fit:
    """A regression of one strength, its validation accuracy and how many rows that rests on."""

    strength: float
    model: Any
    accuracy: float
    rows: int


def _tried(
    strengths: Sequence[float], train: tuple[Any, IntArray], validation: tuple[Any, IntArray]
) -> list[_Fit]:
    rows = len(validation[1])
    found = []
    for strength in strengths if rows else strengths[-1:]:
        model = _logistic(strength, *train)
        right = model.predict(validation[0]) == validation[1] if rows else np.zeros(1)
        found.append(_Fit(strength, model, float(right.mean()), rows))
    return found


def _best(tried: Sequence[_Fit]) -> _Fit:
    return max(tried, key=lambda fit: (fit.accuracy, -fit.strength))


def _gentlest(tried: Sequence[_Fit], best: _Fit) -> _Fit:
    error = np.sqrt(best.accuracy * (1 - best.accuracy) / max(1, best.rows))
    near = [fit for fit in tried if fit.accuracy >= best.accuracy - error]
    return min(near, key=lambda fit: fit.strength)


def _logistic(strength: float, features: Any, truth: IntArray) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # The probe is a yardstick: a thousandth of loss left after 300 rounds does not move it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(features, truth)


def _spread(model: Any, features: Any, labels: tuple[str, ...]) -> FloatArray:
    """Probabilities (N, C) over all labels; a label unseen in training gets zero."""
    full = np.zeros((features.shape[0], len(labels)))
    full[:, model.classes_] = model.predict_proba(features) if features.shape[0] else 0
    return full


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0))


def _require(truth: IntArray, classes: int = 1) -> None:
    found = len(np.unique(truth))
    if found < classes:
        raise FixData("training labels", f"{found} different labels", f"at least {classes}")
