"""Whether one rung is better than another: the same rows, the same resamples, several cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from statistics import NormalDist

import numpy as np

from luthier.core.seeds import derive
from luthier.evaluate.measure import chosen
from luthier.evaluate.metric import Metric
from luthier.evaluate.predictions import ClassPredictions, FloatArray, IntArray
from luthier.fewshot.folds import Cut, held_out
from luthier.fewshot.rung import Known, Rung

DRAWS = 2000
LEVEL = 0.9
"""Level of the intervals of scores and gains."""
MUST_WIN = 0.9
"""So large must the chance be that none of the rungs that are tried wins by luck alone."""
LOST_RECALL, LEAST_ROWS, PLAIN = 0.02, 10, 2.0
"""A class of so many held-out rows may lose so much recall, unless the loss is within so many
standard errors of nothing."""


@dataclass(frozen=True)
class Credit:
    """What a rung brought on other tasks over the stacked blend: `mean` and `spread` (standard
    deviation over tasks) of the gain in shares of right answers, with at least so many rows
    `per_class`, in the median."""

    mean: float
    spread: float
    per_class: float = 0.0

    def over(self, other: Credit | None) -> Credit:
        """What it brought over a rung that has a credit itself.

        >>> Credit(0.015, 0.022).over(None)
        Credit(mean=0.015, spread=0.022, per_class=0.0)
        >>> round(Credit(0.5, 0.3).over(Credit(0.25, 0.4)).spread, 3)
        0.5
        """
        if other is None:
            return self
        return Credit(self.mean - other.mean, hypot(self.spread, other.spread), self.per_class)


CREDITED = ("accuracy", "macro_f1")
"""Metrics on the scale of a credit."""
CREDIT_WINS = 2 / 3
"""With a credit, so large must the chance be that a rung is better at all: other tasks have shown
already that it is not one of many tried on these rows."""
ONE_ROW = 1.0
"""Rows by which two rungs may differ that agreed on every row held out, as a standard error."""


@dataclass(frozen=True)
class Gain:
    """How much better a rung is: its `value` with an interval, and its `chance` of being any."""

    value: float
    low: float
    high: float
    chance: float
    error: float

    def proven(self, tried: int) -> bool:
        """Whether it is worth another rung, one of so many that were `tried` on the same rows:
        likely enough for all of them (Bonferroni), and more than half a standard error."""
        needed = 1 - (1 - MUST_WIN) / tried
        return self.value > 0 and self.chance >= needed and self.value >= self.error / 2

    def believed(self, credit: Credit, rows: int, left: float) -> Gain:
        """The gain when what these `rows` held out show and what other tasks showed are weighed by
        their precision (the mean of two normal estimates). No more than half of what is `left` to
        gain is counted on."""
        error = max(self.error, ONE_ROW / max(1, rows))
        own, other = 1 / error**2, 1 / credit.spread**2
        hoped = min(credit.mean, left / 2)
        value = (own * self.value + other * hoped) / (own + other)
        width = (own + other) ** -0.5
        reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * width
        chance = NormalDist(value, width).cdf(0)
        return Gain(value, value - reach, value + reach, 1 - chance, width)


@dataclass(frozen=True, eq=False)
class Judged:
    """A rung's held-out answers as statistics by unit (U, K), averaged over cuts."""

    sums: FloatArray
    per_class: FloatArray
    """Right answers (U, C) among the rows of each class."""


class Bench:
    """Rungs measured on the rows of several cuts; one unit is a row or a group of rows."""

    def __init__(self, cuts: Sequence[Cut], name: str, seed: int) -> None:
        known = cuts[0].known
        self.cuts, self.metric, self._seed = cuts, _metric(known, name), seed
        self._units = np.arange(len(known.rows)) if known.groups is None else known.groups
        self._judged: dict[str, Judged] = {}
        held = np.unique(np.concatenate([cut.held for cut in cuts]))
        self._names, self._unit_of = np.unique(self._units[held], return_inverse=True)
        self._place = {int(row): int(u) for row, u in zip(held, self._unit_of, strict=True)}
        self.counts = np.bincount(known.truth[held], minlength=len(known.labels))

    def judged(self, rung: Rung) -> Judged:
        """The rung's statistics, measured once."""
        if rung.name not in self._judged:
            parts = [self._of(cut, held_out(rung, cut)) for cut in self.cuts]
            sums = np.mean([part.sums for part in parts], axis=0)
            right = np.mean([part.per_class for part in parts], axis=0)
            self._judged[rung.name] = Judged(sums, right)
        return self._judged[rung.name]

    def tried(self, rung: Rung) -> bool:
        """Whether the rung has been measured."""
        return rung.name in self._judged

    def score(self, rung: Rung) -> tuple[float, float, float]:
        """Value of the metric with the ends of its interval."""
        return score_of(self.metric, self.judged(rung).sums, self._drawn())

    def gain(self, rung: Rung, over: Rung) -> Gain:
        """How much better `rung` is than `over`; above zero is better whatever the metric."""
        return gain_of(self.metric, self.judged(rung).sums, self.judged(over).sums, self._drawn())

    def losers(self, rung: Rung, over: Rung) -> list[tuple[int, float]]:
        """Classes whose recall plainly falls by more than two points, with the fall."""
        found = []
        new, old = self.judged(rung).per_class, self.judged(over).per_class
        for place in np.flatnonzero(self.counts >= LEAST_ROWS):
            apart = new[:, place] - old[:, place]
            fall = -float(apart.sum()) / float(self.counts[place])
            error = float(np.sqrt((apart**2).sum())) / float(self.counts[place])
            if fall > LOST_RECALL and fall > PLAIN * error:
                found.append((int(place), fall))
        return found

    def _drawn(self) -> FloatArray:
        return drawn_units(len(self._names), self._seed)

    def _of(self, cut: Cut, chances: FloatArray) -> Judged:
        owners: IntArray = np.asarray([self._place[int(row)] for row in cut.held])
        said = ClassPredictions(cut.known.labels, cut.truth, chances, owners)
        statistics = self.metric.statistics(said)
        assert statistics is not None
        rows = statistics.toarray()
        sums, right = np.zeros((len(self._names), rows.shape[1])), np.zeros_like(chances)
        np.add.at(sums, owners, rows)
        right[np.arange(len(owners)), cut.truth] = chances.argmax(axis=1) == cut.truth
        by_unit = np.zeros((len(self._names), chances.shape[1]))
        np.add.at(by_unit, owners, right)
        return Judged(sums, by_unit)


def drawn_units(count: int, seed: int) -> FloatArray:
    """How often each of so many units is in each resample (DRAWS, U)."""
    random = np.random.default_rng(derive(seed, "evidence", count))
    return random.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(float)


def score_of(metric: Metric, sums: FloatArray, drawn: FloatArray) -> tuple[float, float, float]:
    """Value of the metric by statistics of units (U, K), with the ends of its interval."""
    values = metric.finish(drawn @ sums)
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _point(metric, sums), float(low), float(high)


def gain_of(metric: Metric, new: FloatArray, old: FloatArray, drawn: FloatArray) -> Gain:
    """How much better `new` is than `old`, both (U, K) of the same units."""
    sign = 1.0 if metric.direction == "higher" else -1.0
    apart = sign * (metric.finish(drawn @ new) - metric.finish(drawn @ old))
    apart = apart[np.isfinite(apart)]
    if not len(apart):
        return Gain(0.0, 0.0, 0.0, 0.0, 0.0)
    low, high = np.quantile(apart, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = sign * (_point(metric, new) - _point(metric, old))
    return Gain(value, float(low), float(high), float((apart > 0).mean()), float(apart.std()))


def _point(metric: Metric, sums: FloatArray) -> float:
    return float(metric.finish(sums.sum(axis=0)[None, :])[0])


def _metric(known: Known, name: str) -> Metric:
    """The metric of that name among those of single classes."""
    none = np.zeros(0, np.int64)
    said = ClassPredictions(known.labels, none, np.zeros((0, len(known.labels))), none)
    return chosen(said, [name])[0]
