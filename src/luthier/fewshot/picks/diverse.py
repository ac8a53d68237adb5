"""Rows that stand for all the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.pick import Candidates

MISSED = 0.01
"""Share of the best possible gain that looking at a few candidates each time may cost."""


class Diverse:
    """Facility location: each row is to have a picked one near it.

    Source: Mirzasoleiman et al. 2015, "Lazier Than Lazy Greedy", section 3 (a few random
    candidates at each step); Wei, Iyer and Bilmes 2015, "Submodularity in Data Subset Selection".
    """

    name = "diverse"
    reads: tuple[str, ...] = ("vectors",)

    def order(self, candidates: Candidates, count: int) -> IntArray:
        """Greedy, so that a larger choice of the same seed begins much like a smaller one."""
        bonus = np.zeros(len(candidates))
        return covering(candidates.near, bonus, count, candidates.rng(self.name))


def covering(
    near: NDArray[np.float32], bonus: FloatArray, count: int, rng: np.random.Generator
) -> IntArray:
    """`count` rows (of N) that together cover the P columns of `near` (N, P) best, where a row is
    also worth its `bonus` (N,), in units of what a mean row covers alone."""
    rows = len(near)
    tries = max(1, int(np.ceil(rows / max(1, count) * np.log(1 / MISSED))))
    scale = float(near.sum(axis=1).mean()) or 1.0
    free = np.ones(rows, bool)
    covered = np.zeros(near.shape[1], np.float32)
    chosen: list[int] = []
    while len(chosen) < min(count, rows):
        left = np.flatnonzero(free)
        some = rng.choice(left, min(tries, len(left)), replace=False)
        gain = np.maximum(near[some] - covered, 0).sum(axis=1) / scale + bonus[some]
        best = int(some[gain.argmax()])
        free[best] = False
        covered = np.maximum(covered, near[best])
        chosen.append(best)
    return np.asarray(chosen, np.int64)
