"""The privacy loss of one event as masses on a grid, never below the truth.

Neighbours differ in one unit that is added or removed. For each direction the loss is the
logarithm of how much likelier an outcome is with the one data set than with the other.

Source: Doroshenko et al. 2022, "Connect the Dots: Tighter Discrete Approximations of Privacy Loss
Distributions": what lies between two grid points is split between them so that its mass under
both data sets stays. Zhu, Dong and Wang 2022 show that the two directions are bounded one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.privacy.event import Bounded, Event, Sampled

FloatArray = NDArray[np.float64]

_SIGMAS = 9.5
"""Outcomes further out than this count as outcomes that give everything away."""


@dataclass(frozen=True)
class Losses:
    """Masses (N,) of the losses `(low + i) * width`, and the mass of an infinite loss."""

    width: float
    low: int
    mass: FloatArray
    infinite: float

    def values(self) -> FloatArray:
        """The losses (N,)."""
        return np.arange(self.low, self.low + len(self.mass), dtype=np.float64) * self.width

    def log_moment(self, orders: FloatArray) -> FloatArray:
        """log E[exp(order * loss)] over finite losses, for each order (K,)."""
        there = self.mass > 0
        logs, values = np.log(self.mass[there]), self.values()[there]
        found = []
        for order in orders:
            terms = logs + order * values
            top = terms.max()
            found.append(top + math.log(np.exp(terms - top).sum()))
        return np.array(found)


def losses(event: Event, width: float) -> tuple[Losses, Losses]:
    """The losses of one step when a unit is removed and when one is added."""
    if isinstance(event, Bounded):
        one = _bounded(event, width)
        return one, one
    return _sampled(event, width)


def span(event: Event) -> float:
    """How far the losses of one step reach from end to end."""
    if isinstance(event, Bounded):
        return 2 * event.epsilon
    low, high = _ends(event)
    return high - low


def _ends(event: Sampled) -> tuple[float, float]:
    """The least and the largest loss within reach when a unit is removed."""
    far = _SIGMAS * event.noise
    return _loss(event, -far), _loss(event, 1 + far)


def _loss(event: Sampled, x: float) -> float:
    power = (2 * x - 1) / (2 * event.noise**2)
    kept = math.log1p(-event.rate) if event.rate < 1 else -math.inf
    return float(np.logaddexp(kept, math.log(event.rate) + power))


def _outcome(event: Sampled, loss: FloatArray) -> FloatArray:
    """The outcome x at which removal has this loss; minus infinity below all."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.expm1(loss) / event.rate
        logs = np.where(inside > -1, np.log1p(np.maximum(inside, -1)), -np.inf)
    return event.noise**2 * logs + 0.5


def _sampled(event: Sampled, width: float) -> tuple[Losses, Losses]:
    least, largest = _ends(event)
    low, high = math.floor(least / width), math.ceil(largest / width)
    grid = np.arange(low, high + 1, dtype=np.float64) * width
    edges = _outcome(event, grid)
    base_inner, base_below, base_above = _masses(edges, 0.0, event.noise)
    other_inner, other_below, other_above = _masses(edges, 1.0, event.noise)
    rate = event.rate
    mixed = (1 - rate) * base_inner + rate * other_inner
    gap = -math.expm1(-width)
    # Of what lies between two grid points, the share that goes to the upper one.
    removed = np.clip((mixed - base_inner * np.exp(grid[:-1])) / gap, 0, mixed)
    added = np.clip((base_inner - mixed * np.exp(-grid[1:])) / gap, 0, base_inner)
    removal, addition = np.zeros(len(grid)), np.zeros(len(grid))
    removal[1:] += removed
    removal[:-1] += mixed - removed
    removal[0] += (1 - rate) * base_below + rate * other_below
    addition[:-1] += added
    addition[1:] += base_inner - added
    addition[-1] += base_above
    above = (1 - rate) * base_above + rate * other_above
    return (
        Losses(width, low, removal, above),
        Losses(width, -high, addition[::-1].copy(), base_below),
    )


def _masses(edges: FloatArray, mean: float, noise: float) -> tuple[FloatArray, float, float]:
    """The normal mass between edges, below the first and above the last.

    Differences are taken in the nearer tail, where they are exact.
    """
    scaled = (edges - mean) / noise
    from scipy.special import ndtr

    below, above = ndtr(scaled), ndtr(-scaled)
    inner = np.where(scaled[:-1] > 0, above[:-1] - above[1:], below[1:] - below[:-1])
    return np.maximum(inner, 0), float(below[0]), float(above[-1])


def _bounded(event: Bounded, width: float) -> Losses:
    """The worst losses that (epsilon, delta) allows.

    Source: Kairouz, Oh and Viswanath 2015, "The Composition Theorem for Differential Privacy".
    """
    top = math.ceil(event.epsilon / width)
    epsilon = top * width
    mass = np.zeros(2 * top + 1)
    likely = (1 - event.delta) / (1 + math.exp(-epsilon))
    mass[-1] += likely
    mass[0] += 1 - event.delta - likely
    return Losses(width, -top, mass, event.delta)
