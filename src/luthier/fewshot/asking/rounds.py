"""What each round's model answered, and what that tells of the quality to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.stopping import SAMPLE, kappa, measured
from luthier.fewshot.curve import Curve

SHOWN = 3
"""Rows drawn by lot that a curve needs at least."""


@dataclass(frozen=True, eq=False)
class Honest:
    """The rows drawn by lot: where they stand in the pool (R,), their truth (R,), how many labels
    there were before each (R,), and whether the present model answers them rightly when it has
    not seen them (R,)."""

    places: IntArray
    truth: IntArray
    position: IntArray
    right: FloatArray

    @property
    def accuracy(self) -> Interval | None:
        """The share of right answers with an exact 95 % interval."""
        return measured(self.right)


@dataclass
class Rounds:
    """Answers (N,) of each round's model, with the number of labels it had learnt from."""

    classes: int
    seed: int = 0
    sizes: list[int] = field(default_factory=list)
    answers: list[IntArray] = field(default_factory=list)

    def add(self, size: int, answers: IntArray) -> None:
        """A model of `size` labels; one of as many labels as the last takes its place."""
        if self.sizes and self.sizes[-1] == size:
            self.sizes.pop()
            self.answers.pop()
        self.sizes.append(size)
        self.answers.append(np.asarray(answers, np.int32))

    @property
    def agreements(self) -> list[float]:
        """Kappa of each round with the one before, on one fixed sample of the pool."""
        if not self.answers:
            return []
        rows = len(self.answers[0])
        rng = np.random.default_rng(derive(self.seed, "sample of answers"))
        sample = rng.permutation(rows)[:SAMPLE]
        pairs: Sequence[tuple[IntArray, IntArray]] = list(
            zip(self.answers, self.answers[1:], strict=False)
        )
        return [kappa(a[sample], b[sample], self.classes) for a, b in pairs]

    def curve(self, honest: Honest, started: float) -> Curve | None:
        """The learning curve through all rounds; None while few rows were drawn by lot.

        An earlier model is judged on the rows drawn after it was fitted, the present one on all
        of them, each time by a model that had not seen the row.
        """
        if len(honest.places) < SHOWN or not self.sizes:
            return None
        columns = [
            np.where(honest.position >= size, answers[honest.places] == honest.truth, np.nan)
            for size, answers in zip(self.sizes[:-1], self.answers[:-1], strict=True)
        ]
        right = np.stack([*columns, honest.right], axis=1).astype(np.float64)
        return Curve.fit(np.asarray(self.sizes), right, started, self.seed)
