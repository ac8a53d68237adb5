"""The cheap model behind the questions: refitted on vectors that are kept, after every batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.seeds import derive
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.query import UNKNOWN
from luthier.fewshot.rung import Asked, Fitted, Known
from luthier.fewshot.rungs.linear import Described
from luthier.fewshot.rungs.zero import ZeroShot

FOLDS = 5
STARTED = 2.0
"""A description stands for so many labels of its class at first, as its probe weighs it."""


@dataclass(frozen=True, eq=False)
class Learner:
    """What questions are chosen by: class descriptions (C), the pool (N), and rows with known
    labels (M) that are not of the pool, such as those of a run."""

    labels: tuple[str, ...]
    described: Asked
    pool: Asked
    rows: Asked
    truth: IntArray
    seed: int = 0

    def fit(self, given: IntArray) -> Fitted:
        """A classifier from the known rows and the pool's labels `given` (N,), `UNKNOWN` where
        there is none; without any label, from descriptions alone."""
        inside = np.flatnonzero(given != UNKNOWN)
        rows = self.pool.take(inside)
        known = Known(
            labels=self.labels,
            rows=Asked(
                [*self.rows.texts, *rows.texts], np.concatenate([self.rows.vectors, rows.vectors])
            ),
            truth=np.concatenate([self.truth, given[inside]]),
            described=self.described,
            pool=self.pool.take(np.flatnonzero(given == UNKNOWN)),
            seed=self.seed,
        )
        return Described().fit(known) if len(known.rows) else ZeroShot().fit(known)

    def unseen(self, given: IntArray, places: IntArray) -> FloatArray:
        """For each row at `places` whether a model that did not see its label answers it rightly,
        zero or one (R,). Five models are fitted, each without a fifth of these rows."""
        right = np.zeros(len(places))
        order = np.random.default_rng(derive(self.seed, "folds")).permutation(len(places))
        for fold in range(min(FOLDS, len(places))):
            held = order[fold::FOLDS]
            others = given.copy()
            others[places[held]] = UNKNOWN
            chances = self.fit(others).probabilities(self.pool.take(places[held]))
            right[held] = chances.argmax(axis=1) == given[places[held]]
        return right

    @property
    def started(self) -> float:
        """How many labels the descriptions and the known rows stand for."""
        return STARTED * len(self.labels) + len(self.truth)
