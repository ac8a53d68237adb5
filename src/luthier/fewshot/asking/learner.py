"""The cheap model behind the questions: refitted on vectors that are kept, after every batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.seeds import derive
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.rounds import Point, decided, horizon
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

    def round(self, given: IntArray, order: IntArray) -> tuple[Point, FloatArray]:
        """Answers to the pool that may be judged, and the chances (N, C) of the whole model.

        Rows near the start of the drawn `order` that have a label are answered by models fitted
        without them: five, each without a fifth of these rows.
        """
        chances = self.fit(given).probabilities(self.pool)
        answers = chances.argmax(axis=1)
        until = min(horizon(decided(order, given)), len(order))
        judged = order[:until][given[order[:until]] != UNKNOWN]
        mixed = judged[np.random.default_rng(derive(self.seed, "folds")).permutation(len(judged))]
        for fold in range(min(FOLDS, len(judged))):
            held = mixed[fold::FOLDS]
            others = given.copy()
            others[held] = UNKNOWN
            found = self.fit(others).probabilities(self.pool.take(held))
            answers[held] = found.argmax(axis=1)
        size = int((given != UNKNOWN).sum())
        return Point(size, answers, until), chances

    @property
    def started(self) -> float:
        """How many labels the descriptions and the known rows stand for."""
        return STARTED * len(self.labels) + len(self.truth)
