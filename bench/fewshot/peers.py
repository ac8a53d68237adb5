"""What people use instead: scikit-learn on vectors and on words, with its usual settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from luthier.fewshot.rung import Asked, Known


def probe(known: Known, test: Asked) -> np.ndarray:
    """Logistic regression on the vectors at length one, as SetFit's head and most guides do it."""
    return _fit(_unit(known.rows.vectors), _unit(test.vectors), known)


def words(known: Known, test: Asked) -> np.ndarray:
    """TF-IDF of words and pairs of words, sublinear, and logistic regression."""
    terms = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    learnt = terms.fit_transform(known.rows.texts)
    return _fit(learnt, terms.transform(test.texts), known, 10.0)


def _fit(learnt: object, asked: object, known: Known, strength: float = 1.0) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        model = LogisticRegression(C=strength, max_iter=300).fit(learnt, known.truth)
    full = np.zeros((asked.shape[0], len(known.labels)))  # type: ignore[attr-defined]
    full[:, model.classes_] = model.predict_proba(asked)
    return full


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


PEERS: dict[str, Callable[[Known, Asked], np.ndarray]] = {
    "scikit-learn probe": probe,
    "scikit-learn TF-IDF": words,
}
