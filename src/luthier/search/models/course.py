"""A learning curve as the curve models read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from luthier.search.models.values import soften
from luthier.search.scale import Scale
from luthier.search.trial import UNITS

Array = NDArray[np.float64]

STEEPEST_LOSS = 2.0


class Point(Protocol):
    """What is needed of a point, past or present."""

    @property
    def unit(self) -> int: ...
    @property
    def score(self) -> float: ...
    @property
    def train_loss(self) -> float: ...


@dataclass(frozen=True, eq=False)
class Course:
    """Modelled values and training losses (K,) at rising units; `score` is the last raw score."""

    units: Array
    values: Array
    train: Array
    score: float

    @property
    def unit(self) -> float:
        """How far it goes."""
        return float(self.units[-1])

    @property
    def last(self) -> float:
        """The last value."""
        return float(self.values[-1])

    @property
    def finished(self) -> bool:
        """Whether it goes to the end."""
        return self.unit >= UNITS

    def upto(self, unit: float) -> Course:
        """Its part until that unit, with a value there found by interpolation."""
        kept = self.units < unit
        return Course(
            np.append(self.units[kept], unit),
            np.append(self.values[kept], self.value(unit)),
            np.append(self.train[kept], self._loss(unit)),
            self.score,
        )

    def value(self, unit: float) -> float:
        """The value at a unit, between points along the logarithm of units."""
        return float(np.interp(math.log2(unit), np.log2(self.units), self.values))

    def slope(self, unit: float) -> float:
        """Change of the log training loss over the last doubling; 0 where it is not known."""
        now, then = self._loss(unit), self._loss(unit / 2)
        if unit / 2 < self.units[0] or not (now > 0 and then > 0):
            return 0.0
        return min(STEEPEST_LOSS, max(-STEEPEST_LOSS, math.log(now / then)))

    def _loss(self, unit: float) -> float:
        return float(np.interp(math.log2(unit), np.log2(self.units), self.train))


def course(points: Sequence[Point], scale: Scale) -> Course | None:
    """The curve through all points with a finite score; None when there is none."""
    kept = [p for p in points if math.isfinite(p.score) and p.unit > 0]
    if not kept:
        return None
    scores = np.asarray([p.score for p in kept], np.float64)
    return Course(
        np.asarray([p.unit for p in kept], np.float64),
        soften(scale.relative(scores)),
        np.asarray([p.train_loss for p in kept], np.float64),
        float(scores[-1]),
    )


class Forecast(Protocol):
    """Where a curve ends."""

    def final(self, seen: Course, prior: float, noise: float) -> tuple[float, float]:
        """Mean and deviation of the value at the end.

        `prior` is what the configuration alone promises, `noise` the deviation of a measurement.
        """
