"""What each round's model answered, and what that tells of the quality to come."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.stopping import ROUNDS, SAMPLE, kappa, measured
from luthier.fewshot.curve import Curve
from luthier.fewshot.query import UNKNOWN

FEWEST = 3
"""Rows drawn by lot that a curve needs at least."""
AHEAD, LEAST = 3, 20
"""A round is judged on so many times the rows drawn by then, and so many more."""
APART = 1.2
"""Points of a curve are so many times apart in labels, the newest always among them."""


def decided(order: IntArray, given: IntArray, closed: NDArray[np.bool_] | None = None) -> int:
    """How many rows of the drawn `order` are labelled, or closed, without a gap from its start."""
    done = given[order] != UNKNOWN
    if closed is not None:
        done |= closed[order]
    return int(done.argmin()) if not done.all() else len(order)


def horizon(drawn: int) -> int:
    """How many rows of the drawn order a round's answers may be judged on later."""
    return AHEAD * drawn + LEAST


@dataclass(frozen=True, eq=False)
class Point:
    """Answers (N,) of a model of `size` labels; those to the first `until` rows of the drawn
    order come from a model that had not seen the row's label.

    `fair` (N,) are answers to rows that were labelled then, from models of `left` labels on the
    mean, in which no class had lost more than others; to other rows they are `UNKNOWN`.
    """

    size: int
    answers: IntArray
    until: int
    fair: IntArray | None = None
    left: float = 0.0


@dataclass
class Rounds:
    """The models of a session, oldest first, over a pool whose rows are drawn in `order` (N,)."""

    classes: int
    order: IntArray
    seed: int = 0
    points: list[Point] = field(default_factory=list)

    def add(self, point: Point) -> None:
        """A further round; one of as many labels as the last takes its place."""
        if self.points and self.points[-1].size == point.size:
            self.points.pop()
        self.points.append(point)

    @property
    def agreements(self) -> list[float]:
        """Kappa of each round with the one before, on one fixed sample of the pool."""
        rng = np.random.default_rng(derive(self.seed, "sample of answers"))
        sample = rng.permutation(len(self.order))[:SAMPLE]
        return [
            kappa(a.answers[sample], b.answers[sample], self.classes)
            for a, b in itertools.pairwise(self.points)
        ]

    def right(self, given: IntArray, closed: NDArray[np.bool_]) -> FloatArray:
        """Whether the newest model answers the rows drawn so far rightly, as one that did not see
        their labels (R,)."""
        rows = self._rows(given, closed)
        return np.asarray(self.points[-1].answers[rows] == given[rows], np.float64)

    def accuracy(self, given: IntArray, closed: NDArray[np.bool_]) -> Interval | None:
        """The share of right answers on the rows drawn so far, with an exact 95 % interval."""
        return measured(self.right(given, closed)) if self.points else None

    def curve(self, given: IntArray, closed: NDArray[np.bool_], started: float) -> Curve | None:
        """The learning curve through the rounds; None while few rows were drawn by lot."""
        rows = self._rows(given, closed)
        if len(rows) < FEWEST or not self.points:
            return None
        place = np.empty(len(self.order), np.int64)
        place[self.order] = np.arange(len(self.order))
        chosen = [self.points[i] for i in spaced([p.size for p in self.points], started)]
        parts = [part for p in chosen for part in _parts(p, rows, place[rows], given[rows])]
        sizes = np.asarray([size for size, _ in parts])
        columns = np.stack([column for _, column in parts], axis=1)
        return Curve.fit(sizes, columns, started, self.seed, chosen[-1].size)

    def _rows(self, given: IntArray, closed: NDArray[np.bool_]) -> IntArray:
        drawn = self.order[: decided(self.order, given, closed)]
        return np.asarray(drawn[given[drawn] != UNKNOWN])


def _parts(
    point: Point, rows: IntArray, places: IntArray, truth: IntArray
) -> list[tuple[float, FloatArray]]:
    """Which rows (R,) a point answers rightly, by the labels its models had: rows it had not seen,
    and rows that were left out for once."""
    judged = places < point.until
    if point.fair is None:
        return [(float(point.size), np.where(judged, point.answers[rows] == truth, np.nan))]
    left_out = judged & (point.fair[rows] != UNKNOWN)
    fresh = np.where(judged & ~left_out, point.answers[rows] == truth, np.nan)
    told = [(float(point.size), fresh)] if (judged & ~left_out).any() else []
    if left_out.any():
        told.append((point.left, np.where(left_out, point.fair[rows] == truth, np.nan)))
    return told


def spaced(sizes: list[int], started: float) -> list[int]:
    """Places of sizes that are well apart, the last and the first among them."""
    chosen = [len(sizes) - 1]
    for place in range(len(sizes) - 2, -1, -1):
        if (sizes[place] + started) * APART <= sizes[chosen[-1]] + started:
            chosen.append(place)
    return chosen[::-1]


def worth_fitting(sizes: list[int], started: float) -> list[int]:
    """Places of the rounds that a session needs again: those of the curve and the newest."""
    if not sizes:
        return []
    newest = range(max(0, len(sizes) - ROUNDS - 1), len(sizes))
    return sorted({*spaced(sizes, started), *newest})
