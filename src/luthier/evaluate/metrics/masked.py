"""Metrics of guesses at hidden tokens."""

from __future__ import annotations

import numpy as np

from luthier.core.types import Task
from luthier.evaluate.metric import Metric, Statistics, dense, mean
from luthier.evaluate.predictions import FloatArray, MaskedPredictions

TASKS = (Task.ADAPT,)
NOTHING_HIDDEN = "no token was hidden"


def _nats(p: MaskedPredictions) -> Statistics:
    return dense(p.nats, p.tokens)


def _right(p: MaskedPredictions) -> Statistics:
    return dense(p.right, p.tokens)


def _perplexity(sums: FloatArray) -> FloatArray:
    # A mean of more than 700 nats has no finite exponential; it then has no value.
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(mean(sums)))


MASKED_LOSS = Metric(
    "masked_loss", "loss per hidden token", "lower", TASKS, _nats, mean, NOTHING_HIDDEN
)
"""Summed loss in nats over hidden tokens; comparable only under one tokenizer."""

MASKED_PERPLEXITY = Metric(
    "masked_perplexity",
    "perplexity of hidden tokens",
    "lower",
    TASKS,
    _nats,
    _perplexity,
    NOTHING_HIDDEN,
)
"""The exponential of the loss per hidden token: among how many words the model still wavers.

It is not the pseudo-perplexity of Salazar et al. 2020, which hides one token at a time.
"""

MASKED_ACCURACY = Metric(
    "masked_accuracy",
    "accuracy on hidden tokens",
    "higher",
    TASKS,
    _right,
    mean,
    NOTHING_HIDDEN,
    share=True,
)
"""The share of hidden tokens whose likeliest guess is right."""

METRICS = (MASKED_LOSS, MASKED_PERPLEXITY, MASKED_ACCURACY)
