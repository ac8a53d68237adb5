"""Which rows of a pool are worth a person's time: the question and what answers may go by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun
from luthier.core.seeds import derive
from luthier.evaluate.predictions import FloatArray, IntArray

UNKNOWN = -1
"""The class number of a row that nobody has labelled."""


@dataclass(frozen=True, eq=False)
class Standing:
    """Where labelling stands, over the N rows of a pool.

    `vectors` (N, D) are the encoder's, `chances` (N, C) the present model's, `truth` (N,) class
    numbers or `UNKNOWN`. `closed` (N,) are rows that may not be asked for, such as skipped ones;
    labelled rows never are. `before` (C,) counts labels of rows that are not of the pool. `lots`
    (N,) are the rows in the order in which they are drawn by lot, by `seed` where left out.

    Raises: CheckRun when shapes do not agree.
    """

    vectors: FloatArray
    chances: FloatArray
    truth: IntArray
    closed: NDArray[np.bool_]
    seed: int = 0
    before: IntArray | None = None
    lots: IntArray | None = None

    def __post_init__(self) -> None:
        rows = len(self.vectors)
        for name in ("chances", "truth", "closed"):
            array = getattr(self, name)
            if len(array) != rows:
                raise CheckRun(f"standing.{name}", f"{len(array)} rows", f"{rows}, one per vector")
        classes = self.chances.shape[1]
        if rows and not (self.truth.min() >= UNKNOWN and self.truth.max() < classes):
            raise CheckRun("standing.truth", "a number that is no class", f"-1 to {classes - 1}")

    @cached_property
    def open(self) -> IntArray:
        """The rows that may be asked for, in order (M,)."""
        return np.flatnonzero((self.truth == UNKNOWN) & ~self.closed)

    @property
    def drawn(self) -> IntArray:
        """All rows in the order in which they are drawn by lot (N,)."""
        return drawn_by(self.seed, len(self.vectors)) if self.lots is None else self.lots

    @cached_property
    def labelled(self) -> IntArray:
        """The rows that have a label, in order."""
        return np.flatnonzero(self.truth != UNKNOWN)

    @cached_property
    def counts(self) -> IntArray:
        """How many labels each class has (C,), in the pool and elsewhere."""
        found = np.bincount(self.truth[self.labelled], minlength=self.chances.shape[1])
        return found if self.before is None else found + self.before

    @cached_property
    def unit(self) -> FloatArray:
        """Vectors (N, D) of length one around the pool's mean; their products are cosines."""
        moved = self.vectors - self.vectors.mean(axis=0)
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        return np.asarray(moved / np.maximum(length, 1e-9), np.float32)

    @cached_property
    def margin(self) -> FloatArray:
        """How far the likeliest class is ahead of the next (N,), 0 to 1."""
        if self.chances.shape[1] == 1:
            return np.ones(len(self.chances))
        best = np.partition(self.chances, -2, axis=1)
        return np.asarray(best[:, -1] - best[:, -2])

    def rng(self, name: str) -> np.random.Generator:
        """Random numbers of their own for each query and each number of closed rows."""
        return np.random.default_rng(derive(self.seed, name, len(self.vectors) - len(self.open)))

    def without(self, places: IntArray) -> Standing:
        """The same with the rows at `places` closed."""
        closed = self.closed.copy()
        closed[places] = True
        made = replace(self, closed=closed)
        # What is dear to compute does not depend on which rows are closed.
        for name in ("unit", "margin", "counts", "labelled"):
            if name in self.__dict__:
                made.__dict__[name] = self.__dict__[name]
        return made


def drawn_by(seed: int, rows: int) -> IntArray:
    """The rows 0 to `rows` - 1 in an order drawn by lot."""
    return np.random.default_rng(derive(seed, "lots")).permutation(rows)


class Query(Protocol):
    """One way to choose the rows that a person is asked next."""

    @property
    def name(self) -> str:
        """Its name on the command line and in records."""

    def ask(self, standing: Standing, count: int) -> IntArray:
        """At most `count` different open rows, the most wanted first; fewer where it has no more
        reason to ask. The same standing gives the same rows."""
