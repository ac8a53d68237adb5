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
NEAR = 0.97
"""Above this share of the labels a fold's answers are fair as they are."""
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
        random = np.random.default_rng(derive(self.seed, "folds"))
        mixed = judged[random.permutation(len(judged))]
        # Rows of a class lie in different fifths, so that each misses as few as can be.
        mixed = mixed[np.argsort(given[mixed], kind="stable")]
        fair, left = np.full(len(given), UNKNOWN), []
        for fold in range(min(FOLDS, len(judged))):
            held = mixed[fold::FOLDS]
            others = given.copy()
            others[held] = UNKNOWN
            answers[held] = fair[held] = self._answers(others, held)
            even = self._evened(given, others, held, random)
            if (even != UNKNOWN).sum() < NEAR * (others != UNKNOWN).sum():
                fair[held] = self._answers(even, held)
                others = even
            left += [int((others != UNKNOWN).sum())] * len(held)
        size = int((given != UNKNOWN).sum())
        return Point(size, answers, until, fair, float(np.mean(left or [size]))), chances

    def _answers(self, given: IntArray, asked: IntArray) -> IntArray:
        """The class of the rows `asked` by a model of the labels `given`."""
        chances = self.fit(given).probabilities(self.pool.take(asked))
        return np.asarray(chances.argmax(axis=1))

    def _evened(
        self, given: IntArray, others: IntArray, held: IntArray, random: np.random.Generator
    ) -> IntArray:
        """`others` with labels taken from each class until it keeps no larger a share of those
        `given` than the classes of the rows `held` do on the mean.

        Where classes are asked in turn a row that is left out is missed by its own class alone,
        which a new row's class would not suffer.
        """
        classes = len(self.labels)
        before = np.bincount(given[given != UNKNOWN], minlength=classes)
        after = np.bincount(others[others != UNKNOWN], minlength=classes)
        share = float(np.mean((after / np.maximum(before, 1))[given[held]]))
        even = others.copy()
        for number in np.flatnonzero(after > share * before):
            keep = share * before[number]
            # Rounded up as often as the share says, so that the mean is right.
            count = int(keep) + int(random.random() < keep - int(keep))
            rows = random.permutation(np.flatnonzero(others == number))
            even[rows[count:]] = UNKNOWN
        return even

    @property
    def started(self) -> float:
        """How many labels the descriptions and the known rows stand for."""
        return STARTED * len(self.labels) + len(self.truth)
