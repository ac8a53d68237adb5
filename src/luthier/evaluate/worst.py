"""The rows a model answers worst, for people to read."""

from __future__ import annotations

from typing import Any

import numpy as np

from luthier.evaluate.metrics import classification, language, multilabel
from luthier.evaluate.metrics.rouge import rouge_l
from luthier.evaluate.predictions import (
    ClassPredictions,
    FloatArray,
    IntArray,
    MaskedPredictions,
    MultilabelPredictions,
    Predictions,
    PreferencePredictions,
    SpanPredictions,
    TextPredictions,
    ValuePredictions,
)


def worst(predictions: Predictions, count: int = 20) -> list[dict[str, Any]]:
    """At most `count` errors, the worst first; rows without an error are never listed.

    Each is JSON-ready: `row` (of the source file), `index` (into the predictions, to find the
    text), `truth`, `predicted`, `score` and `measure` (what the score is).
    """
    if not len(predictions.rows):
        return []
    match predictions:
        case ClassPredictions():
            return _classes(predictions, count)
        case MultilabelPredictions():
            return _label_sets(predictions, count)
        case ValuePredictions():
            return _values(predictions, count)
        case SpanPredictions():
            return _spans(predictions, count)
        case TextPredictions():
            return _texts(predictions, count)
        case MaskedPredictions():
            return _guesses(predictions, count)
        case PreferencePredictions():
            return _pairs(predictions, count)


def _classes(p: ClassPredictions, count: int) -> list[dict[str, Any]]:
    guess, confidence = classification.predicted(p), p.probabilities.max(axis=1)
    return [
        _entry(p.rows, i, p.labels[p.truth[i]], p.labels[guess[i]], confidence[i], "confidence")
        for i in _first(np.where(guess != p.truth, confidence, -np.inf), count)
    ]


def _label_sets(p: MultilabelPredictions, count: int) -> list[dict[str, Any]]:
    guess = multilabel.chosen(p)
    wrong = (guess != p.truth).sum(axis=1).astype(float)

    def names(mask: Any) -> list[str]:
        return [label for label, kept in zip(p.labels, mask, strict=True) if kept]

    return [
        _entry(p.rows, i, names(p.truth[i]), names(guess[i]), wrong[i], "wrong labels")
        for i in _first(np.where(wrong > 0, wrong, -np.inf), count)
    ]


def _values(p: ValuePredictions, count: int) -> list[dict[str, Any]]:
    gaps = np.abs(p.values - p.truth)
    return [
        _entry(p.rows, i, float(p.truth[i]), float(p.values[i]), gaps[i], "absolute error")
        for i in _first(np.where(gaps > 0, gaps, -np.inf), count)
    ]


def _spans(p: SpanPredictions, count: int) -> list[dict[str, Any]]:
    wrong = np.array(
        [len(set(t) ^ set(s)) for t, s in zip(p.truth, p.spans, strict=True)], dtype=float
    )
    return [
        _entry(p.rows, i, list(p.truth[i]), list(p.spans[i]), wrong[i], "wrong spans")
        for i in _first(np.where(wrong > 0, wrong, -np.inf), count)
    ]


def _texts(p: TextPredictions, count: int) -> list[dict[str, Any]]:
    if p.texts:
        scores = language.best_scores(p, rouge_l)
        return [
            _entry(p.rows, i, p.truth[i][0], p.texts[i], scores[i], "ROUGE-L")
            for i in _first(np.where(scores < 1, -scores, -np.inf), count)
        ]
    if p.nats is None or p.tokens is None:
        return []
    losses = np.divide(p.nats, p.tokens, out=np.zeros(len(p.rows)), where=p.tokens > 0)
    order = _first(np.where(losses > 0, losses, -np.inf), count)
    return [_entry(p.rows, i, None, None, losses[i], "loss per token") for i in order]


def _guesses(p: MaskedPredictions, count: int) -> list[dict[str, Any]]:
    losses = np.divide(p.nats, p.tokens, out=np.zeros(len(p.rows)), where=p.tokens > 0)
    order = _first(np.where(losses > 0, losses, -np.inf), count)
    return [_entry(p.rows, i, None, None, losses[i], "loss per hidden token") for i in order]


def _pairs(p: PreferencePredictions, count: int) -> list[dict[str, Any]]:
    return [
        _entry(p.rows, i, "chosen", "rejected", p.margins[i], "margin")
        for i in _first(np.where(p.margins < 0, -p.margins, -np.inf), count)
    ]


def _first(badness: FloatArray, count: int) -> list[int]:
    order = np.argsort(-badness, kind="stable")[:count]
    return [int(i) for i in order if np.isfinite(badness[i])]


def _entry(
    rows: IntArray, index: int, truth: Any, predicted: Any, score: float, measure: str
) -> dict[str, Any]:
    return {
        "row": int(rows[index]),
        "index": index,
        "truth": truth,
        "predicted": predicted,
        "score": float(score),
        "measure": measure,
    }
