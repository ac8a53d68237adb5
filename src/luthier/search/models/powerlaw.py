"""Where a curve ends when no other task can tell: laws of diminishing gains, and plain guesses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.search.models.course import Course
from luthier.search.trial import UNITS

Array = NDArray[np.float64]

GAIN, GAIN_WIDTH = 0.08, 1.2
"""Median of c in value(t) = end - c (t^-a - 1), t from 0 to 1, and deviation of its logarithm."""

POWER, POWER_WIDTH = 0.5, 0.5
"""Of a, in the same way."""

FALLING = 0.15
"""Probability that a curve falls towards its end instead of rising."""

MISFIT = 0.05
"""Deviation of points from any such law."""


@dataclass(frozen=True)
class PowerLaw:
    """value(t) = end - c (t^-a - 1) with log-normal c and a and a normal end.

    Given c and a the end is normal; c and a are integrated over a grid, which stays right where
    an expansion around the most probable pair is not. `level` and `width` describe the end before
    the curve is seen. Source of the law: Kadra et al. 2023.
    """

    level: float = 0.0
    width: float = 0.6

    def final(self, seen: Course, prior: float, noise: float) -> tuple[float, float]:
        """Mean and deviation of the end; `prior` is added to the level."""
        if seen.finished:
            return seen.last, noise
        gain, power, weight = _grid()
        times = seen.units / UNITS
        ends = seen.values + gain[:, None] * (times ** -power[:, None] - 1)
        variance = noise**2 + MISFIT**2
        precision = len(times) / variance + self.width**-2
        center = self.level + prior
        mean = (ends.sum(1) / variance + center / self.width**2) / precision
        off = (ends**2).sum(1) / variance + (center / self.width) ** 2 - precision * mean**2
        chance = weight * np.exp(-0.5 * (off - off.min()))
        chance /= chance.sum()
        middle = float(chance @ mean)
        spread = float(chance @ (1 / precision + (mean - middle) ** 2))
        return middle, max(noise, math.sqrt(spread))


@dataclass(frozen=True)
class LastValue:
    """The last value stands for the end, with a doubt that shrinks with every doubling."""

    doubt: float = 0.15

    def final(self, seen: Course, prior: float, noise: float) -> tuple[float, float]:
        """The last value; `prior` is not used."""
        return seen.last, math.hypot(noise, self.doubt * math.log2(UNITS / min(seen.unit, UNITS)))


def _grid() -> tuple[Array, Array, Array]:
    places, others = np.linspace(-2.5, 2.5, 21), np.linspace(-2.0, 2.0, 9)
    first, second = (grid.ravel() for grid in np.meshgrid(places, others))
    gain, power = GAIN * np.exp(GAIN_WIDTH * first), POWER * np.exp(POWER_WIDTH * second)
    weight = np.exp(-0.5 * (first**2 + second**2))
    return (
        np.concatenate([gain, -gain]),
        np.concatenate([power, power]),
        np.concatenate([(1 - FALLING) * weight, FALLING * weight]),
    )


LIKE = 0.5
"""How far the gain still to come may differ from that of finished curves, as a part of it."""

LIKE_WORTH = 2.0
"""Finished curves that this expectation is worth."""


@dataclass(frozen=True, eq=False)
class AsFinished:
    """Without past tasks: a curve gains from here what the finished curves of its task gained."""

    finished: tuple[Course, ...]

    def final(self, seen: Course, prior: float, noise: float) -> tuple[float, float]:
        """Mean and deviation of the end."""
        gains = np.asarray([c.last - c.value(seen.unit) for c in self.finished])
        mean = float(gains.mean())
        squares = float(((gains - mean) ** 2).sum()) + LIKE_WORTH * (LIKE * mean) ** 2
        spread = math.sqrt(squares / (len(gains) - 1 + LIKE_WORTH))
        return seen.last + mean, math.hypot(noise, spread)
