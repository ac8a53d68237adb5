"""From how well an attack guesses, a bound that epsilon is at least, in one run.

Source: Steinke, Nasr and Jagielski 2023, "Privacy Auditing with One (1) Training Run", Theorem
5.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom

FloatArray = NDArray[np.float64]

SHARES = (0.02, 0.1, 0.5)
"""Shares of the pairs on which the attack dares a guess; the best is taken, and paid for."""

_MOST = 60.0


@dataclass(frozen=True)
class Demonstrated:
    """Epsilon is at least `epsilon`, with confidence `level`; shown by `correct` right guesses of
    `guesses`, on so many pairs."""

    epsilon: float
    level: float
    guesses: int
    correct: int
    pairs: int


def chance(correct: int, guesses: int, bits: int, epsilon: float, delta: float) -> float:
    """The largest chance of so many right guesses of `guesses` about `bits` fair coins, when a
    coin changes the outcome by (epsilon, delta) at most."""
    right = 1 / (1 + math.exp(-epsilon))
    most = binom.sf(correct - 1, guesses, right)
    steps = np.arange(1, correct + 1)
    below = np.cumsum(binom.pmf(correct - steps, guesses, right))
    worst = float((below / steps).max()) if correct else 0.0
    return min(1.0, float(most) + 2 * bits * delta * worst)


def lower_bound(
    correct: int, guesses: int, bits: int, delta: float, level: float = 0.95, rows: int = 1
) -> float:
    """The epsilon below which so many right guesses have at most a chance of 1 - `level`.

    A coin that decides about two `rows` changes the outcome by twice epsilon, and by delta as
    often as group privacy has it.
    """

    def excess(epsilon: float) -> float:
        together = delta * (1 if rows == 1 else 1 + math.exp(epsilon))
        return chance(correct, guesses, bits, rows * epsilon, together) - (1 - level)

    if excess(0.0) >= 0:
        return 0.0
    if excess(_MOST) <= 0:
        return _MOST
    return float(brentq(excess, 0.0, _MOST))


def from_pairs(
    members: FloatArray, others: FloatArray, delta: float, seed: int, level: float = 0.95
) -> Demonstrated:
    """What the scores of members (M,) and others (K,) show about adding or removing one row.

    Rows are paired at random; a split by chance makes it a fair coin which of a pair was trained
    on. Exchanging the two is one removal and one addition, so what is shown of a pair is shared
    by two.
    """
    random = np.random.default_rng(seed)
    pairs = min(len(members), len(others))
    gaps = random.permutation(members)[:pairs] - random.permutation(others)[:pairs]
    order = np.argsort(-np.abs(gaps), kind="stable")
    # A guess among equals is a coin of its own.
    right = np.where(gaps == 0, random.random(pairs) < 0.5, gaps > 0)[order]
    # Three attempts share what may go wrong.
    each = 1 - (1 - level) / len(SHARES)
    best = Demonstrated(0.0, level, 0, 0, pairs)
    for part in SHARES:
        guesses = max(1, round(part * pairs))
        correct = int(right[:guesses].sum())
        bound = lower_bound(correct, guesses, pairs, delta, each, rows=2)
        if best.guesses == 0 or bound > best.epsilon:
            best = Demonstrated(bound, level, guesses, correct, pairs)
    return best
