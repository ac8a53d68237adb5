"""A judge of whole pieces: words, pairs of words and mean hidden states, weighed linearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VOCABULARY = 30522
PAIRS = 1 << 15
"""Buckets of neighbouring pairs of tokens."""


def word_features(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which features a text of tokens (T,) has: its tokens and its hashed pairs, each once."""
    pairs = (ids[:-1] * 1_000_003 + ids[1:] * 7_919) % PAIRS + VOCABULARY
    return np.unique(np.concatenate([ids, pairs]))


def pooled(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean hidden state (D,) of states (T, D)."""
    return np.asarray(states.mean(0))


@dataclass(frozen=True)
class Judge:
    """A linear judge: weights of words (V,), of the mean state (D,), and a bias.

    `threshold` is where it flags.
    """

    kind: str
    words: NDArray[np.float32]
    states: NDArray[np.float32]
    bias: float
    threshold: float

    def score(self, known: NDArray[np.int64], mean: NDArray[np.float32]) -> float:
        """The chance in [0, 1] that a text with these word features and mean state (D,) is of
        the kind."""
        raw = self.words[known].sum() / np.sqrt(len(known)) + (mean * self.states).sum()
        return float(1 / (1 + np.exp(-np.clip(raw + self.bias, -30, 30))))
