"""What a private training can be expected to reach, before anything is spent.

The noise in the average of all updates, for `numbers` trained numbers whose signal is shared by so
many classes, is `blur = noise * sqrt(numbers * classes / updates) / batch`. The share of what
training brings above guessing that is lost follows it as `1 - 1 / (1 + (blur / HALF) ** POWER)`: a
law fitted to recorded trainings of output layers on a frozen encoder (`bench/privacy/outlook.py`).
Nine of ten records lay within `OFF` of the law as fitted to the other data sets. Adapters train
more numbers than any record: for them it is a cautious guess. It is never a promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

HALF, POWER, OFF = 1.37, 1.62, 0.10
"""The blur at which half is lost, how steeply, and how far nine of ten records lay off."""

SHARES = (1, 2, 4, 8, 16, 32)
"""Batches that are looked at: all units, a half, a quarter and so on."""

LARGEST_EPSILON = 50.0
"""Above it nothing is promised: the odds may change by more than 10^21."""

FEWEST_STEPS = 60
"""Fewer updates than this are not proposed: an optimiser needs some to arrive."""

MOST_LOST = 0.5
"""A training that is expected to lose more than this of its gain is drowned by noise."""


@dataclass(frozen=True)
class Outlook:
    """The noise multiplier, noise over signal of one update and of all together, and the expected
    share of the gain that is lost, with its interval."""

    noise: float
    one_update: float
    blur: float
    lost: float
    low: float
    high: float


@dataclass(frozen=True)
class Shape:
    """How a private training is cut up: units, expected units per update, updates, how many
    numbers are trained, and for how many classes."""

    units: int
    batch: int
    steps: int
    numbers: int
    classes: int = 2


def outlook(noise: float, shape: Shape) -> Outlook:
    """What to expect of a training with this noise multiplier.

    >>> far = outlook(1.0, Shape(10_000, 2_500, 100, 1_000))
    >>> far.low <= far.lost <= far.high
    True
    """
    one = noise * math.sqrt(shape.numbers) / shape.batch
    blur = one * math.sqrt(shape.classes / shape.steps)
    lost = 1 - 1 / (1 + (blur / HALF) ** POWER)
    return Outlook(noise, one, blur, lost, max(0.0, lost - OFF), min(1.0, lost + OFF))


def better(epsilon: float, delta: float, shape: Shape) -> Shape | None:
    """The shape with as many passes over the data in which the noise weighs least; None when this
    is it, to a tenth.

    Shapes are ranked by the noise of the central limit, which is quick; a price needs the
    accountant.
    """
    passes = shape.steps * shape.batch / shape.units
    shapes = [shape]
    for share in SHARES:
        batch = max(1, round(shape.units / share))
        steps = max(1, round(passes * shape.units / batch))
        if steps >= FEWEST_STEPS:
            shapes.append(replace(shape, batch=batch, steps=steps))
    best = min(shapes, key=lambda s: _rough(epsilon, delta, s))
    gain = _rough(epsilon, delta, shape) / _rough(epsilon, delta, best)
    return best if gain > 1.1 else None


def _rough(epsilon: float, delta: float, shape: Shape) -> float:
    """The blur with the noise that a central limit gives.

    Source: Bu et al. 2020, "Deep Learning with Gaussian Differential Privacy", Corollary 5.4.
    """
    strength = _strength(epsilon, delta)
    rate = min(1.0, shape.batch / shape.units)
    noise = 1 / math.sqrt(math.log1p(strength**2 / (rate**2 * shape.steps)))
    return outlook(noise, shape).blur


def _strength(epsilon: float, delta: float) -> float:
    """The shift between two normals that (epsilon, delta) allows."""

    from scipy.optimize import brentq
    from scipy.special import ndtr

    def excess(log_shift: float) -> float:
        shift = math.exp(log_shift)
        here = ndtr(-epsilon / shift + shift / 2)
        there = math.exp(min(epsilon, 700)) * ndtr(-epsilon / shift - shift / 2)
        return float(here - there) - delta

    return math.exp(brentq(excess, -12.0, 6.0))
