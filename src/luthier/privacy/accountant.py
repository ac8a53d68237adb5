"""What training under differential privacy costs, and how much noise a wanted cost needs.

The privacy losses of all steps are added up by Fourier transforms on one grid; whatever is cut or
rounded is rounded to the side of a larger epsilon.

Source: Koskela, Jalko and Honkela 2020, "Computing Tight Differential Privacy Guarantees Using
FFT"; Gopi, Lee and Wutschitz 2021, "Numerical Composition of Differential Privacy"; grid as in
`losses`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from luthier.core.errors import FixRecipe
from luthier.privacy.event import LEAST_NOISE, Event, Sampled
from luthier.privacy.losses import FloatArray, Losses, losses, span

GRID = 1 << 18
"""Points that cover the losses of everything together."""

LEAST_DELTA = 1e-11
"""Smaller chances drown in the rounding of the transform."""

MOST_NOISE = 1e4
"""A noise multiplier at which nothing is learnt any more."""

_COARSE = 1 << 13
_MOST_POINTS = 1 << 21
_CUT = 1e-15
"""Mass that may be cut off each end; it is added to delta."""
_ORDERS = np.geomspace(1e-4, 1e5, 73)


@dataclass(frozen=True)
class Composed:
    """All losses of several events, for removal and for addition of a unit."""

    sides: tuple[Losses, ...]

    def delta(self, epsilon: float) -> float:
        """The chance with which the promise of `epsilon` fails, never below the truth."""
        return min(1.0, max(_delta(side, epsilon) for side in self.sides))

    def epsilon(self, delta: float) -> float:
        """The least epsilon that holds except with chance `delta`; infinity when none does."""
        return max(_epsilon(side, delta) for side in self.sides)


def epsilon(noise: float, rate: float, steps: int, delta: float) -> float:
    """Epsilon at `delta` of `steps` updates on Poisson samples of `rate` with noise of `noise`
    times the clipping norm; infinity without noise.

    Raises: FixRecipe for a rate outside (0, 1] or a delta outside [1e-11, 1).
    """
    return total([Sampled(noise, rate, steps)], delta)


def total(events: Sequence[Event], delta: float) -> float:
    """Epsilon at `delta` of everything together, in any order.

    Raises: as `epsilon`.
    """
    check_delta(delta)
    return _total(tuple(events), delta)


@lru_cache(maxsize=512)
def _total(events: tuple[Event, ...], delta: float) -> float:
    counted = [e for e in events if not (isinstance(e, Sampled) and e.steps == 0)]
    if any(isinstance(e, Sampled) and e.noise < LEAST_NOISE for e in counted):
        return math.inf
    return compose(counted).epsilon(delta) if counted else 0.0


def delta_curve(events: Sequence[Event], epsilons: Sequence[float]) -> list[float]:
    """Delta at each epsilon of everything together; one where an event has no noise."""
    if any(isinstance(e, Sampled) and e.noise < LEAST_NOISE for e in events):
        return [1.0 for _ in epsilons]
    composed = compose(events)
    return [composed.delta(e) for e in epsilons]


def calibrate(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The least noise multiplier, to a thousandth, whose price is at most `epsilon`.

    Raises: FixRecipe for an epsilon of 0 or below, or when no noise suffices.
    """
    check_delta(delta)
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise FixRecipe("epsilon", f"it is {epsilon}", "above 0", "3 is usual, 8 is weak")
    if steps < 1:
        raise FixRecipe("steps", f"{steps} updates", "1 or more")

    def excess(log_noise: float) -> float:
        spent = total([Sampled(math.exp(log_noise), rate, steps)], delta)
        # Bounded, so that a line between two points still says something.
        return math.tanh(math.log(max(spent, 1e-9) / epsilon))

    low, high = math.log(LEAST_NOISE), 0.0
    if excess(low) <= 0:
        return LEAST_NOISE
    while excess(high) > 0:
        low, high = high, high + 1.0
        if high > math.log(MOST_NOISE):
            raise FixRecipe(
                "epsilon", f"no noise keeps {steps} updates within {epsilon:g}",
                advice="take fewer updates, a smaller batch or a larger epsilon",
            )  # fmt: skip
    # Here and not above: plans load no scipy.
    from scipy.optimize import brentq

    noise = math.exp(brentq(excess, low, high, xtol=2e-4))
    while total([Sampled(noise, rate, steps)], delta) > epsilon:
        noise *= 1.0003
    return noise


def check_delta(delta: float) -> None:
    """Raises: FixRecipe for a delta that is no chance or too small to be computed."""
    if not LEAST_DELTA <= delta < 1:
        raise FixRecipe(
            "delta", f"it is {delta}", f"between {LEAST_DELTA:g} and 1",
            "take a value below one in the number of units, such as 1e-6",
        )  # fmt: skip


def compose(events: Sequence[Event]) -> Composed:
    """The losses of all events together; each must have noise and at least one step."""
    first = [losses(e, max(span(e), 1e-9) / _COARSE) for e in events]
    windows = [_window([pair[side] for pair in first], events) for side in (0, 1)]
    wide = max(high - low for low, high in windows)
    width = max(wide / (GRID - 8), max(span(e) for e in events) / _MOST_POINTS)
    fine = [losses(e, width) for e in events]
    return Composed(tuple(_add([pair[side] for pair in fine], events) for side in (0, 1)))


def _times(event: Event) -> int:
    return event.steps if isinstance(event, Sampled) else 1


def _window(parts: Sequence[Losses], events: Sequence[Event]) -> tuple[float, float]:
    """Ends outside which the sum of the losses has at most `_CUT` mass each, by Chernoff."""
    up, down = np.zeros(len(_ORDERS)), np.zeros(len(_ORDERS))
    for part, event in zip(parts, events, strict=True):
        up += _times(event) * part.log_moment(_ORDERS)
        down += _times(event) * part.log_moment(-_ORDERS)
    room = -math.log(_CUT)
    return -float(np.min((down + room) / _ORDERS)), float(np.min((up + room) / _ORDERS))


def _add(parts: Sequence[Losses], events: Sequence[Event]) -> Losses:
    low, high = _window(parts, events)
    width = parts[0].width
    first = math.floor(low / width) - 2
    size = 1 << math.ceil(math.log2(math.ceil(high / width) + 3 - first))
    product: NDComplex = np.ones(size // 2 + 1, np.complex128)
    kept, start = 1.0, 0
    for part, event in zip(parts, events, strict=True):
        times = _times(event)
        folded = np.bincount(np.arange(len(part.mass)) % size, part.mass, size)
        product *= np.fft.rfft(folded) ** times
        start += times * part.low
        kept *= (1 - part.infinite) ** times
    mass = np.maximum(np.fft.irfft(product, size), 0)
    # The window's first point comes first; what lies outside has wrapped around and is cut mass.
    mass = np.roll(mass, -((first - start) % size))
    return Losses(width, first, mass, 1 - kept + 2 * _CUT)


NDComplex = np.ndarray[tuple[int], np.dtype[np.complex128]]


def _sums(side: Losses) -> tuple[FloatArray, FloatArray]:
    """For each grid point, the mass of larger losses under the one data set and the other."""
    values = side.values()
    ours = np.cumsum(side.mass[::-1])[::-1] - side.mass
    theirs = side.mass * np.exp(-np.clip(values, -600, 600))
    theirs = np.cumsum(theirs[::-1])[::-1] - theirs
    return ours + side.infinite, theirs


def _delta(side: Losses, epsilon: float) -> float:
    values = side.values()
    above = values > epsilon
    gain = side.mass[above] * -np.expm1(epsilon - values[above])
    return float(gain.sum()) + side.infinite


def _epsilon(side: Losses, delta: float) -> float:
    """Between two grid points delta is `ours - exp(epsilon) * theirs`, so it can be solved."""
    if _delta(side, 0.0) <= delta:
        return 0.0
    values = side.values()
    ours, theirs = _sums(side)
    there = np.flatnonzero(ours - np.exp(np.clip(values, -600, 600)) * theirs > delta)
    place = int(there[-1]) if len(there) else 0
    if place == len(values) - 1 or theirs[place] <= 0 or ours[place] <= delta:
        return math.inf
    return max(0.0, math.log((ours[place] - delta) / theirs[place]))
