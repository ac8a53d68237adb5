"""Votes weighed by how reliable each rule turns out to be."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.query import UNKNOWN
from luthier.fewshot.votes.majority import Majority

ROUNDS, CLOSE = 200, 1e-6
SMOOTH = 1.0
"""Pseudo-counts of every outcome of a rule, so that few votes prove nothing."""
FAITH = 2.0
"""Further pseudo-counts of a right vote: rules are written to be right."""


class DawidSkene:
    """Expectation maximisation over the unknown labels and each rule's habits.

    A rule that abstains tells something too, so abstaining is one of its outcomes. Labels that are
    known hold their rows, which anchors the habits.

    Source: Dawid and Skene 1979, "Maximum Likelihood Estimation of Observer Error-Rates".
    """

    name = "dawid-skene"

    def chances(self, votes: IntArray, classes: int, known: IntArray) -> FloatArray:
        """(N, C) from votes (N, R) and labels (N,) of which some are known."""
        fixed = known != UNKNOWN
        seen = np.where(votes == UNKNOWN, classes, votes)
        outcomes = np.stack([seen == o for o in range(classes + 1)], axis=2).astype(float)
        voted = (votes != UNKNOWN).any(axis=1) | fixed
        belief = Majority().chances(votes, classes, known)
        belief[fixed] = np.eye(classes)[known[fixed]]
        for _ in range(ROUNDS):
            before = belief
            belief = _expect(outcomes, *_maximise(outcomes[voted], belief[voted]))
            belief[fixed] = np.eye(classes)[known[fixed]]
            # Texts that no rule spoke of are told apart by nothing.
            belief[~voted] = 1 / classes
            if np.abs(belief - before).max(initial=0.0) < CLOSE:
                break
        return belief


def _maximise(outcomes: FloatArray, belief: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shares of the classes (C,) and of outcomes by rule and class (R, C, C + 1)."""
    classes = belief.shape[1]
    shares = belief.sum(axis=0) + SMOOTH
    counts = np.einsum("nro,nc->rco", outcomes, belief) + SMOOTH
    counts[:, np.arange(classes), np.arange(classes)] += FAITH
    return shares / shares.sum(), counts / counts.sum(axis=2, keepdims=True)


def _expect(outcomes: FloatArray, shares: FloatArray, habits: FloatArray) -> FloatArray:
    """Chances (N, C) of the labels under these habits."""
    logs = np.log(shares) + np.einsum("nro,rco->nc", outcomes, np.log(habits))
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
