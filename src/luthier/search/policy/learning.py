"""Learns the value of moves from logged searches, and judges policies by them.

Sources: Ernst, Geurts and Wehenkel 2005, "Tree-Based Batch Mode Reinforcement Learning", section 3,
with linear values; Jiang and Li 2016, "Doubly Robust Off-policy Value Evaluation", equation 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.search.policy.policy import Policy
from luthier.search.policy.situation import MOVES, Move, Situation

Array = NDArray[np.float64]
ROUNDS = 30
HEAVIEST = 20.0
"""Largest product of importance ratios; larger ones are cut there, which biases towards zero."""


@dataclass(frozen=True)
class Choice:
    """One logged decision: what was known, allowed and chosen, what the rule would have chosen, the
    probability of the choice, and the reward until the next decision."""

    situation: Situation
    legal: tuple[Move, ...]
    move: Move
    rule: Move
    propensity: float
    reward: float


Episode = Sequence[Choice]


def fitted_q(episodes: Sequence[Episode], ridge: float = 1.0) -> Policy:
    """The policy that is greedy in linear values fitted to their own best continuation."""
    choices = [c for episode in episodes for c in episode]
    after: list[Choice | None] = [c for episode in episodes for c in [*episode[1:], None]]
    now = np.stack([c.situation.vector() for c in choices])
    reward = np.asarray([c.reward for c in choices])
    rows = [np.flatnonzero([c.move == move for c in choices]) for move in MOVES]
    follows = np.asarray([n is not None for n in after])
    zero = np.zeros(now.shape[1])
    then = np.stack([n.situation.vector() if n else zero for n in after])
    barred = np.asarray([[n is not None and m not in n.legal for m in MOVES] for n in after])
    weights = np.zeros((len(MOVES), now.shape[1]))
    for _ in range(ROUNDS):
        best = np.where(barred, -np.inf, then @ weights.T).max(1)
        target = reward + np.where(follows, best, 0.0)
        weights = np.stack([_ridge(now[r], target[r], ridge) for r in rows])
    return Policy(tuple(tuple(map(float, row)) for row in weights))


def doubly_robust(episodes: Sequence[Episode], policy: Policy, values: Policy) -> Array:
    """For each episode an estimate of what `policy` would have brought in it (E,).

    `values` is a policy whose weights were learnt on other tasks; where they are wrong, the
    importance ratios correct them.
    """
    weights = np.asarray(values.weights)
    found = []
    for episode in episodes:
        total, ratio = 0.0, 1.0
        for choice in episode:
            value = weights @ choice.situation.vector()
            wanted = policy.wanted(choice.situation, choice.legal, choice.rule)
            total += ratio * float(value[MOVES.index(wanted)])
            ratio = min(HEAVIEST, ratio * float(choice.move == wanted) / choice.propensity)
            total += ratio * (choice.reward - float(value[MOVES.index(choice.move)]))
            if ratio == 0.0:
                break
        found.append(total)
    return np.asarray(found)


def _ridge(features: Array, target: Array, strength: float) -> Array:
    """Weights of a ridge regression; zero where a move was never made."""
    penalty = strength * np.eye(features.shape[1])
    return np.asarray(np.linalg.solve(features.T @ features + penalty, features.T @ target))
