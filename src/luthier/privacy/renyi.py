"""A second and a third opinion on a price, from the densities instead of a grid of losses.

Source: Mironov, Talwar and Zhang 2019, "Renyi Differential Privacy of the Sampled Gaussian
Mechanism"; Canonne, Kamath and Steinke 2020, Proposition 12, for epsilon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from luthier.privacy.event import Bounded, Event, Sampled
from luthier.privacy.losses import FloatArray

ORDERS = np.concatenate([1 + np.geomspace(0.01, 10, 60), np.arange(12, 64), [96, 128, 256, 512]])
_POINTS = 1 << 15
_GRID = 3 << 16
_ROOM = 34.0
"""Minus the logarithm of the mass that may wrap around the second opinion's window."""


def renyi_epsilon(events: Sequence[Event], delta: float) -> float:
    """A looser upper bound of epsilon, from moments of the losses."""
    tops: FloatArray = np.zeros(len(ORDERS))
    for event in events:
        sides = [_moments(*side, ORDERS - 1) for side in _sides(event)]
        times = event.steps if isinstance(event, Sampled) else 1
        tops += times * np.maximum(sides[0], sides[1]) / (ORDERS - 1)
    found = tops + np.log1p(-1 / ORDERS) - (math.log(delta) + np.log(ORDERS)) / (ORDERS - 1)
    return max(0.0, float(np.nanmin(found)))


def second_epsilon(events: Sequence[Event], delta: float) -> float:
    """An estimate of epsilon that shares neither masses nor grid with the accountant."""
    return max(_composed(events, side, delta) for side in (0, 1))


def _sides(event: Event) -> list[tuple[FloatArray, FloatArray]]:
    """Masses and losses at points of equal distance, when a unit is removed and when added."""
    if isinstance(event, Bounded):
        likely = (1 - event.delta) / (1 + math.exp(-event.epsilon))
        masses = np.array([1 - event.delta - likely, likely])
        one = (masses, np.array([-event.epsilon, event.epsilon]))
        return [one, one]
    far = 9.0 * event.noise
    points = np.linspace(-far, 1 + far, _POINTS)
    width = points[1] - points[0]
    scale = width / (event.noise * math.sqrt(2 * math.pi))
    base = scale * np.exp(-0.5 * (points / event.noise) ** 2)
    moved = scale * np.exp(-0.5 * ((points - 1) / event.noise) ** 2)
    kept = math.log1p(-event.rate) if event.rate < 1 else -math.inf
    ratio = (2 * points - 1) / (2 * event.noise**2)
    loss = np.logaddexp(kept, math.log(event.rate) + ratio)
    return [((1 - event.rate) * base + event.rate * moved, loss), (base, -loss)]


def _moments(mass: FloatArray, loss: FloatArray, powers: FloatArray) -> FloatArray:
    """log E[exp(power * loss)] for each power (K,)."""
    with np.errstate(divide="ignore"):
        logs = np.log(mass)
    terms = logs[None, :] + powers[:, None] * loss[None, :]
    top = terms.max(1)
    found: FloatArray = top + np.log(np.exp(terms - top[:, None]).sum(1))
    return found


def _composed(events: Sequence[Event], side: int, delta: float) -> float:
    parts = [_sides(event)[side] for event in events]
    times = [e.steps if isinstance(e, Sampled) else 1 for e in events]
    powers = np.geomspace(1e-3, 1e4, 29)
    up = sum(n * _moments(m, v, powers) for n, (m, v) in zip(times, parts, strict=True))
    down = sum(n * _moments(m, v, -powers) for n, (m, v) in zip(times, parts, strict=True))
    high = float(np.min((np.asarray(up) + _ROOM) / powers))
    low = -float(np.min((np.asarray(down) + _ROOM) / powers))
    width = (high - low) / (_GRID - 2)
    product, missing = np.ones(_GRID // 2 + 1, np.complex128), 0.0
    for count, (mass, loss) in zip(times, parts, strict=True):
        lower = np.floor(loss / width)
        upper = mass * (loss / width - lower)
        place = lower.astype(np.int64)
        line = np.bincount(place % _GRID, mass - upper, _GRID)
        line += np.bincount((place + 1) % _GRID, upper, _GRID)
        product *= np.fft.rfft(line) ** count
        missing += count * max(0.0, 1 - float(mass.sum()))
    first = math.floor(low / width)
    masses = np.roll(np.fft.irfft(product, _GRID), -(first % _GRID))
    values = np.arange(first, first + _GRID, dtype=np.float64) * width
    return _solved(masses, values, missing, delta)


def _solved(masses: FloatArray, values: FloatArray, missing: float, delta: float) -> float:
    """The least epsilon of at least zero whose delta is small enough, by bisection."""

    def told(epsilon: float) -> float:
        above = values > epsilon
        return missing + float((masses[above] * -np.expm1(epsilon - values[above])).sum())

    low, high = 0.0, max(0.0, float(values[-1]))
    if told(low) <= delta:
        return 0.0
    if told(high) > delta:
        return math.inf
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if told(middle) > delta else (low, middle)
    return high
