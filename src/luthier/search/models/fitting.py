"""Chooses the covariance of a Gaussian process: the most probable one given prior and data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve
from scipy.optimize import minimize

from luthier.search.models.gp import GaussianProcess, Observed, lower
from luthier.search.models.matern import ROOT5, Kernel, KernelPrior

Array = NDArray[np.float64]

STEPS = 40
"""Iterations of L-BFGS from each start; more change predictions less than noise does."""

SPREAD, SPREAD_WEIGHT = 0.3, 2.0
"""Deviation of final scores expected beforehand, and how many observations that is worth."""

UNSEEN = (0.2, 0.5)
"""Center and deviation before anything is seen."""


@dataclass(frozen=True, eq=False)
class Objective:
    """Negative log posterior of log lengths, log amplitude and log floor, with its gradient."""

    values: Array
    noise: Array
    gaps: Array
    prior: KernelPrior

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient (D + 2,); `theta` is in the order of `KernelPrior.center`."""
        squares = np.exp(-2 * theta[:-2])
        distance = ROOT5 * np.sqrt(np.tensordot(squares, self.gaps, 1))
        decay = np.exp(-distance)
        power, floor = math.exp(2 * theta[-2]), math.exp(2 * theta[-1])
        shape = power * (1 + distance + distance**2 / 3) * decay
        count = len(self.values)
        factor = lower(shape + self.prior.level**2 + np.diag(self.noise**2 + floor))
        inverse = cho_solve((factor, True), np.eye(count))
        weights = inverse @ self.values
        value = 0.5 * self.values @ weights + np.log(np.diag(factor)).sum()
        pull = inverse - np.outer(weights, weights)
        slope = pull * (power * 5 / 3 * (1 + distance) * decay)
        lengths = 0.5 * np.tensordot(self.gaps, slope, 2) * squares
        rest = [float((pull * shape).sum()), floor * float(np.trace(pull))]
        off = (theta - self.prior.center) / self.prior.width
        gradient = np.concatenate([lengths, rest]) + off / self.prior.width
        return float(value + 0.5 * off @ off), gradient


def fit(
    seen: Observed,
    prior: KernelPrior,
    shift: float = 0.0,
    spread: float = 1.0,
    starts: Sequence[Kernel] = (),
) -> GaussianProcess:
    """The process with the most probable covariance; with fewer than two observations the prior's.

    `starts` are tried besides the prior's median.
    """
    if len(seen) < 2:
        return GaussianProcess(prior.kernel, seen, shift, spread)
    gaps = (seen.inputs[:, None, :] - seen.inputs[None, :, :]) ** 2
    goal = Objective(
        (seen.values - shift) / spread,
        seen.noise / spread,
        np.ascontiguousarray(np.moveaxis(gaps, 2, 0)),
        prior,
    )
    bounds = [(math.log(0.05), math.log(50.0))] * (len(prior.center) - 2)
    bounds += [(math.log(0.05), math.log(10.0)), (math.log(1e-3), math.log(2.0))]
    best, theta = math.inf, prior.center
    for start in [prior.center, *map(_logs, starts)]:
        inside = np.clip(start, *np.asarray(bounds).T)
        found = minimize(goal, inside, jac=True, method="L-BFGS-B", bounds=bounds,
                         options={"maxiter": STEPS, "ftol": 1e-6})  # fmt: skip
        if found.fun < best:
            best, theta = float(found.fun), found.x
    kernel = Kernel(np.exp(theta[:-2]), math.exp(theta[-2]), math.exp(theta[-1]), prior.level)
    return GaussianProcess(kernel, seen, shift, spread)


def _logs(kernel: Kernel) -> Array:
    return np.asarray(np.log(np.concatenate([kernel.scales, [kernel.amplitude, kernel.floor]])))


def location(values: Array, noise: Array) -> tuple[float, float]:
    """A center and a deviation of values; few values stay close to what is usual."""
    if not len(values):
        return UNSEEN
    weights = 1 / (noise**2 + SPREAD**2)
    center = float(weights @ values / weights.sum())
    squares = float(((values - center) ** 2).sum()) + SPREAD_WEIGHT * SPREAD**2
    return center, math.sqrt(squares / (len(values) - 1 + SPREAD_WEIGHT))
