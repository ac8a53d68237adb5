"""Can a secret or a passage be drawn out of a model that writes?

Source: Carlini et al. 2019, "The Secret Sharer", section 4 (exposure); Carlini et al. 2021,
"Extracting Training Data from Large Language Models" (continuing a prefix).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from luthier.core.types import Interval

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Exposure:
    """A secret among others of its form: how many are at least as likely, of how many, and the
    bits by which that is easier than guessing (0 is guessing)."""

    row: int
    rank: int
    among: int
    bits: float

    @property
    def at_most(self) -> float:
        """The most bits that so many candidates can show."""
        return math.log2(self.among)


def exposure(row: int, own: float, others: FloatArray) -> Exposure:
    """The exposure of a secret of loss `own` among candidates (K,) it might as well have been."""
    rank = 1 + int((others <= own).sum())
    among = len(others) + 1
    return Exposure(row, rank, among, math.log2(among) - math.log2(rank))


@dataclass(frozen=True)
class Extraction:
    """Shares of passages that are continued word for word: by the tuned model those it trained
    on and those it never saw, and by the untouched base those it trained on."""

    passages: int
    tokens: int
    tuned: Interval
    unseen: Interval
    base: Interval


def share(hits: int, count: int, level: float = 0.95) -> Interval:
    """A share with its exact interval (Clopper and Pearson 1934).

    >>> share(0, 100).value
    0.0
    """
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, count - hits + 1))
    high = 1.0 if hits == count else float(beta.ppf(1 - tail, hits + 1, count - hits))
    return Interval(hits / max(1, count), low, high, level)


def alike(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Whether two runs of tokens are equal."""
    return len(first) == len(second) and bool((first == second).all())
