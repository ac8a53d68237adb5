"""Quality against labels: where more labels lead, how many a target takes, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from luthier.core.errors import CheckRun
from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.evaluate.predictions import FloatArray, IntArray

LEVEL = 0.8
DRAWS = 500
POWERS = np.linspace(0.1, 1.0, 19)
"""Powers c of the law a - b n^-c that are looked at."""
FAR = 1e7
"""More labels than this are no number a person can give."""
GAIN, GAIN_ROWS = 0.25, 4.0
"""Expected before anything is seen: the first point lies about `GAIN` below the end of the curve.
That counts as much as so many rows."""
PRIOR = 0.5
"""Pseudo-counts of right and wrong rows (Jeffreys)."""
ROUGH, MISFIT = 0.01, 0.02
"""Deviation of real curves from the law: anywhere, and more for each factor e of labels beyond the
last point. Set on four sets of bench/labelling; the others had no part in it."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Draws of the law a - b n^-c, each (DRAWS,): what the labels so far leave possible.

    `last` is the number of labels of the newest point, `started` what stands in for labels before
    the first, such as descriptions; `off` are draws of how real curves leave the law.
    """

    a: FloatArray
    b: FloatArray
    c: FloatArray
    off: FloatArray
    last: float
    started: float

    @classmethod
    def fit(
        cls, sizes: IntArray | FloatArray, right: FloatArray, started: float = 0.0, seed: int = 0,
        last: float | None = None,
    ) -> Curve:  # fmt: skip
        """A curve through P points; `last` are the labels there are, those of the largest point
        where it is None.

        `right` (R, P) says for each row that was drawn by lot whether the model of `sizes[p]`
        labels answers it rightly, 0 to 1, NaN where that model had learnt the row's label.

        Raises: CheckRun without a point that has a row, and when shapes do not agree.
        """
        if right.shape[1:] != sizes.shape or not np.isfinite(right).any():
            raise CheckRun(
                "learning curve", f"{sizes.shape} sizes and rows of shape {right.shape}",
                "one column of rows for each size, and a row that may be judged",
            )  # fmt: skip
        rng = np.random.default_rng(derive(seed, "learning curve", *right.shape))
        values, weights = _resampled(right, rng)
        a, b, c = _laws(sizes + started, values, weights, rng)
        newest = float(sizes.max()) if last is None else float(last)
        return cls(a, b, c, rng.standard_normal(DRAWS), newest, started)

    def at(self, labels: float) -> Interval:
        """The quality at so many labels, with an 80 % interval."""
        beyond = max(0.0, math.log((labels + self.started) / (self.last + self.started)))
        values = np.clip(self.a - self.b * (labels + self.started) ** -self.c, 0.0, 1.0)
        middle = float(np.median(values))
        spread = np.clip(values + (ROUGH + MISFIT * beyond) * self.off, 0.0, 1.0)
        low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(middle, min(float(low), middle), max(float(high), middle), LEVEL)

    def gain(self, labels: int) -> Interval:
        """What so many further labels are expected to bring, with an 80 % interval."""
        now, then = self.last + self.started, self.last + labels + self.started
        gains = self.b * (now**-self.c - then**-self.c)
        low, middle, high = np.quantile(gains, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
        return Interval(float(middle), float(low), float(high), LEVEL)

    def needed(self, target: float) -> Needed:
        """How many labels in all lead to `target`."""
        room = np.maximum(self.a - target, 1e-12)
        with np.errstate(over="ignore", divide="ignore"):
            counts = (np.maximum(self.b, 1e-12) / room) ** (1 / self.c) - self.started
        counts = np.where(self.a > target, np.clip(counts, 0.0, FAR), math.inf)
        quantiles = [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]
        low, middle, high = np.quantile(counts, quantiles, method="inverted_cdf")
        return Needed(target, *(float(n) if n < FAR else math.inf for n in (middle, low, high)))


@dataclass(frozen=True)
class Needed:
    """Labels in all that a target takes, with an 80 % interval; infinite where out of reach."""

    target: float
    labels: float
    low: float
    high: float

    @property
    def reachable(self) -> bool:
        """Whether the target is more likely to be reached than not."""
        return math.isfinite(self.labels)

    def hours(self, labelled: int, seconds: float) -> tuple[float, float, float]:
        """A person's hours for the labels missing at `seconds` for each: middle, low, high."""
        left = (max(0.0, n - labelled) * seconds / 3600 for n in (self.labels, self.low, self.high))
        middle, low, high = left
        return middle, low, high

    def say(self, labelled: int, seconds: float) -> str:
        """One sentence for a person who has given `labelled` labels."""
        aim = f"{self.target:.1%}"
        if not self.reachable:
            return f"{aim} is not reachable with this encoder: another encoder or rung is needed"
        bounded = math.isfinite(self.high)
        ends = f"{self.low:,.0f} " + (f"to {self.high:,.0f}" if bounded else "or more")
        if self.labels <= labelled:
            return f"{aim} is probably reached already (it takes {ends} labels)"
        _, low, high = self.hours(labelled, seconds)
        work = f"{span(low)} to {span(high)}" if math.isfinite(high) else f"at least {span(low)}"
        return f"{aim} takes about {self.labels:,.0f} labels ({ends}); for you {work} more"


def span(hours: float) -> str:
    """A person's work in words.

    >>> span(0.14), span(2.5)
    ('8 minutes', '2.5 hours')
    """
    return f"{60 * hours:.0f} minutes" if hours < 1 else f"{hours:.1f} hours"


def _resampled(right: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Values and their weights, both (DRAWS, P), over resampled rows.

    Weights of a Bayesian bootstrap leave no row out, so few rows give no empty points. Half a row
    that is right and half a row that is wrong stand beside them, so that a point where all are
    right is not taken for certain.
    """
    rows, points = right.shape
    known = np.isfinite(right)
    filled = np.where(known, right, 0.0)
    picks = rng.exponential(size=(DRAWS, rows))
    beside = rng.gamma(PRIOR, size=(DRAWS, 2))
    counts = picks @ known
    total = counts + beside.sum(axis=1, keepdims=True)
    values = (picks @ filled + beside[:, :1]) / total
    seen = known.sum(axis=0)
    weights = np.where(seen > 0, (seen + 2 * PRIOR) / np.maximum(values * (1 - values), 0.01), 0.0)
    return values, np.broadcast_to(weights, (DRAWS, points))


def _laws(
    sizes: FloatArray, values: FloatArray, weights: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """For each draw one law: a power by how well it fits, and the best a and b for it."""
    falls = np.maximum(sizes, 1.0)[None, :] ** -POWERS[:, None]  # (powers, points)
    prior = GAIN_ROWS / 0.25
    w = weights[:, None, :]
    s0, s1, s2 = w.sum(2), (w * falls).sum(2), (w * falls**2).sum(2) + prior * falls[:, 0] ** 2
    y0, y1 = (w * values[:, None]).sum(2), (w * falls * values[:, None]).sum(2)
    y1 = y1 - prior * falls[:, 0] * GAIN
    # a - b f: minimise over a in [0, 1] and b >= 0 in turn, from the free solution.
    free = np.maximum(s0 * s2 - s1**2, 1e-12)
    b = np.maximum((s1 * y0 - s0 * y1) / free, 0.0)
    a = np.clip((y0 + b * s1) / np.maximum(s0, 1e-12), 0.0, 1.0)
    b = np.maximum((a * s1 - y1) / np.maximum(s2, 1e-12), 0.0)
    off = (w * (values[:, None] - a[..., None] + b[..., None] * falls) ** 2).sum(2)
    off += prior * (GAIN - b * falls[:, 0]) ** 2
    chance = np.exp(-0.5 * (off - off.min(axis=1, keepdims=True)))
    steps = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
    pick = np.minimum((steps < rng.random((len(steps), 1))).sum(axis=1), len(POWERS) - 1)
    rows = np.arange(len(pick))
    return a[rows, pick], b[rows, pick], POWERS[pick]
