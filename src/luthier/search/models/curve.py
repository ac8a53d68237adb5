"""Where a curve ends, learnt from the finished curves of past tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from luthier.search.models.course import Course
from luthier.search.trial import DECISIONS, UNITS

Array = NDArray[np.float64]

FEWEST_TASKS, FEWEST_CURVES = 3, 2
"""Past tasks needed, and finished curves that make a task count."""

RIDGES = (0.3, 3.0, 30.0, 300.0)
"""Prior precisions of the coefficients that are tried."""

NARROWEST = 0.05
"""A feature that varied less in the past is not read more finely than this."""

FINEST = 0.1
"""Noise at which a task counts half in the regressions."""

LEAST = 0.02
"""No curve is foreseen more exactly than this."""

PAST_WORTH = 8
"""Finished curves of the present task that its errors count as much as those of all past tasks."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Finished curves of one task, what was expected of each configuration beforehand (N,), and the
    deviation of a measurement there."""

    courses: tuple[Course, ...]
    priors: Array
    noise: float


@dataclass(frozen=True, eq=False)
class Rung:
    """The regression at one unit: gain still to come on standardised features.

    `within` is the deviation of a single curve beyond the noise of its measurement; `shift` and
    `doubt` are mean and deviation of what
    all curves of the present task have in common.
    """

    center: Array
    spread: Array
    weights: Array
    cover: Array
    within: float
    shift: float
    doubt: float

    def final(self, seen: Course, prior: float) -> tuple[float, float]:
        """Mean and deviation of the end."""
        row = np.append(1.0, (features(seen, prior) - self.center) / self.spread)
        unsure = self.within**2 * (1 + row @ self.cover @ row) + self.doubt**2
        return seen.last + float(row @ self.weights) + self.shift, math.sqrt(unsure)


@dataclass(frozen=True, eq=False)
class PooledCurves:
    """A regression per decision unit, pooled over past tasks; in between it interpolates."""

    rungs: dict[int, Rung]

    def final(self, seen: Course, prior: float, noise: float) -> tuple[float, float]:
        """Mean and deviation of the end, the deviation never below `noise`."""
        below = max((u for u in DECISIONS if u <= seen.unit), default=DECISIONS[0])
        above = min((u for u in DECISIONS if u >= seen.unit), default=UNITS)
        mean, deviation = self._at(below, seen, prior, noise)
        if above > below:
            share = math.log2(seen.unit / below) / math.log2(above / below)
            further = self._at(above, seen, prior, noise)
            mean += share * (further[0] - mean)
            deviation += share * (further[1] - deviation)
        return mean, math.hypot(noise, deviation)

    def _at(self, unit: int, seen: Course, prior: float, noise: float) -> tuple[float, float]:
        return (seen.last, 0.0) if unit >= UNITS else self.rungs[unit].final(seen, prior)

    def on_task(self, known: Curves) -> PooledCurves:
        """The same, moved to what the present task's own finished curves showed.

        Each regression misses a task by a common amount that is normal over tasks; how far single
        curves scatter is learnt anew, so that misleading past curves do not stay trusted.
        """
        if not known.courses:
            return self
        return PooledCurves({u: _shifted(u, rung, known) for u, rung in self.rungs.items()})


def features(seen: Course, prior: float) -> Array:
    """Value, last doubling's gain, slope of the training loss, and what the prior adds (4,)."""
    unit = seen.unit
    before = seen.value(unit / 2) if unit / 2 >= seen.units[0] else seen.last
    return np.asarray([seen.last, seen.last - before, seen.slope(unit), prior - seen.last])


def pooled_curves(tasks: Sequence[Curves]) -> PooledCurves | None:
    """The regressions; None when fewer than three tasks have finished curves."""
    usable = [t for t in tasks if len(t.courses) >= FEWEST_CURVES]
    if len(usable) < FEWEST_TASKS:
        return None
    return PooledCurves({unit: _rung(unit, usable) for unit in DECISIONS if unit < UNITS})


def _rung(unit: int, tasks: Sequence[Curves]) -> Rung:
    """The regression at a unit. Its prior precision and its errors come from leaving out tasks.

    A task counts by how exactly it was measured: a few rows, or scores near 1, tell less.
    """
    parts = [_table(unit, t) for t in tasks]
    trust = [(FINEST / math.hypot(FINEST, t.noise)) ** 2 for t in tasks]
    rows = np.vstack([p[0] for p in parts])
    center, spread = rows.mean(0), np.maximum(rows.std(0), NARROWEST)
    grams, sums = [], []
    blocks = []
    for (table, gains), weight in zip(parts, trust, strict=True):
        block = np.column_stack([np.ones(len(table)), (table - center) / spread])
        blocks.append((block, gains))
        grams.append(weight * block.T @ block)
        sums.append(weight * block.T @ gains)
    gram, total = np.sum(grams, axis=0), np.sum(sums, axis=0)
    tried = []
    for ridge in RIDGES:
        added = ridge * np.diag([0.01, 1, 1, 1, 1])
        errors = [
            gains - block @ np.linalg.solve(gram - g + added, total - s)
            for (block, gains), g, s in zip(blocks, grams, sums, strict=True)
        ]
        lost = [w * np.mean(e**2) for w, e in zip(trust, errors, strict=True)]
        tried.append((float(np.sum(lost)), ridge, errors))
    _, ridge, errors = min(tried, key=lambda found: found[0])
    cover = np.linalg.inv(gram + ridge * np.diag([0.01, 1, 1, 1, 1]))
    within, between = _parts(errors, [t.noise for t in tasks], trust)
    return Rung(center, spread, cover @ total, cover, within, 0.0, between)


def _table(unit: int, task: Curves) -> tuple[Array, Array]:
    cut = [c.upto(unit) for c in task.courses]
    rows = [features(c, float(p)) for c, p in zip(cut, task.priors, strict=True)]
    gains = [c.last - s.last for c, s in zip(task.courses, cut, strict=True)]
    return np.asarray(rows), np.asarray(gains)


def _parts(
    errors: Sequence[Array], noise: Sequence[float], trust: Sequence[float]
) -> tuple[float, float]:
    """Deviations within a task and between tasks, beyond the noise of measurements."""
    own = [e.var(ddof=1) - n**2 for e, n in zip(errors, noise, strict=True)]
    within = max(float(np.average(own, weights=trust)), LEAST**2)
    level = [e.mean() ** 2 - (within + n**2) / len(e) for e, n in zip(errors, noise, strict=True)]
    between = max(float(np.average(level, weights=trust)), LEAST**2)
    return math.sqrt(within), math.sqrt(between)


def _shifted(unit: int, rung: Rung, known: Curves) -> Rung:
    pairs = zip(known.courses, known.priors, strict=True)
    errors = np.asarray([c.last - rung.final(c.upto(unit), float(p))[0] for c, p in pairs])
    single = rung.within**2 + known.noise**2
    trust = rung.doubt**2 / (rung.doubt**2 + single / len(errors))
    shift, doubt = trust * float(errors.mean()), math.sqrt((1 - trust) * rung.doubt**2)
    squares = PAST_WORTH * single + float(((errors - shift) ** 2).sum())
    within = squares / (PAST_WORTH + len(errors)) - known.noise**2
    within = math.sqrt(max(within, LEAST**2))
    return replace(rung, within=within, shift=shift, doubt=doubt)
