"""Metrics of generated texts and of measured losses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from luthier.core.types import Task
from luthier.evaluate.metric import Metric, Statistics, dense, mean, mean_of, ratio
from luthier.evaluate.metrics.chrf import chrf_counts, chrf_scores
from luthier.evaluate.metrics.rouge import rouge_l, rouge_n, words
from luthier.evaluate.predictions import FloatArray, TextPredictions

TASKS = (Task.INSTRUCT, Task.ADAPT)
NO_TEXTS = "no texts were generated"
NO_LOSSES = "the loss on the references was not measured"


def best_scores(p: TextPredictions, score: Callable[[list[str], list[str]], float]) -> FloatArray:
    """The score (N,) of each text against its closest reference, on words."""
    return np.array(
        [
            max(score(words(reference), answer) for reference in references)
            for references, answer in zip(p.truth, map(words, p.texts), strict=True)
        ]
    )


def _exact(p: TextPredictions) -> Statistics | None:
    if not p.texts:
        return None
    pairs = zip(p.truth, p.texts, strict=True)
    return mean_of(np.array([t.strip() in {r.strip() for r in refs} for refs, t in pairs]))


def _rouge(
    score: Callable[[list[str], list[str]], float],
) -> Callable[[TextPredictions], Statistics | None]:
    def statistics(p: TextPredictions) -> Statistics | None:
        return mean_of(best_scores(p, score)) if p.texts else None

    return statistics


def _chrf(p: TextPredictions) -> Statistics | None:
    if not p.texts:
        return None
    pairs = zip(p.truth, p.texts, strict=True)
    return dense(np.array([chrf_counts(references, text) for references, text in pairs]))


def _per_byte(p: TextPredictions) -> Statistics | None:
    return None if p.nats is None or p.bytes is None else dense(p.nats, p.bytes)


def _bits(sums: FloatArray) -> FloatArray:
    return np.asarray(ratio(sums[:, 0], sums[:, 1]) / np.log(2))


def _per_token(p: TextPredictions) -> Statistics | None:
    return None if p.nats is None or p.tokens is None else dense(p.nats, p.tokens)


EXACT_MATCH = Metric(
    "exact_match",
    "exact match",
    "higher",
    TASKS,
    _exact,
    mean,
    NO_TEXTS,
    counted=True,
    share=True,
)
"""The share of texts equal to a reference, but for white space around them."""

ROUGE1 = Metric(
    "rouge1",
    "ROUGE-1",
    "higher",
    TASKS,
    _rouge(lambda reference, answer: rouge_n(reference, answer, 1)),
    mean,
    NO_TEXTS,
    share=True,
)
"""Mean F1 of words against the closest reference."""

ROUGE2 = Metric(
    "rouge2",
    "ROUGE-2",
    "higher",
    TASKS,
    _rouge(lambda reference, answer: rouge_n(reference, answer, 2)),
    mean,
    NO_TEXTS,
    share=True,
)
"""Mean F1 of pairs of words against the closest reference."""

ROUGE_L = Metric("rougeL", "ROUGE-L", "higher", TASKS, _rouge(rouge_l), mean, NO_TEXTS, share=True)
"""Mean F1 of the longest common subsequence against the closest reference."""

CHRF = Metric("chrf", "chrF", "higher", TASKS, _chrf, chrf_scores, NO_TEXTS)
"""Character n-gram F-score of the whole set, 0 to 100."""

BITS_PER_BYTE = Metric(
    "bits_per_byte", "bits per byte", "lower", TASKS, _per_byte, _bits, NO_LOSSES
)
"""Summed loss in bits over the UTF-8 bytes of the text; independent of the tokenizer."""

TOKEN_LOSS = Metric("token_loss", "loss per token", "lower", TASKS, _per_token, mean, NO_LOSSES)
"""Summed loss in nats over tokens; comparable only under one tokenizer."""

METRICS = (ROUGE_L, ROUGE1, ROUGE2, CHRF, EXACT_MATCH, BITS_PER_BYTE, TOKEN_LOSS)
