"""An exact Gaussian process for at most a few hundred observations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from luthier.search.models.matern import Kernel

Array = NDArray[np.float64]

JITTER = 1e-10


@dataclass(frozen=True, eq=False)
class Observed:
    """Values (N,) at points (N, D) of the unit cube, each with its own deviation of noise (N,)."""

    inputs: Array
    values: Array
    noise: Array

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """The process given observations. `shift` and `spread` bring values to mean 0, deviation 1.

    The kernel speaks of the shifted and spread values; everything that goes in and comes out is in
    the observations' own units. Without observations it is the prior.
    """

    kernel: Kernel
    seen: Observed
    shift: float = 0.0
    spread: float = 1.0

    @cached_property
    def factor(self) -> Array:
        """Lower Cholesky factor of the observations' covariance (N, N)."""
        noise = (self.seen.noise / self.spread) ** 2 + self.kernel.floor**2
        return lower(self.kernel.between(self.seen.inputs, self.seen.inputs) + np.diag(noise))

    @cached_property
    def _weights(self) -> Array:
        values = (self.seen.values - self.shift) / self.spread
        return np.asarray(cho_solve((self.factor, True), values))

    def mean(self, inputs: Array) -> Array:
        """Expected values (M,) at points (M, D)."""
        if not len(self.seen):
            return np.full(len(inputs), self.shift)
        across = self.kernel.between(inputs, self.seen.inputs)
        return np.asarray(self.shift + self.spread * (across @ self._weights))

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        """Expected values and deviations (M,) of the function itself, without noise."""
        variance = np.full(len(inputs), self.kernel.variance)
        if not len(self.seen):
            return self.mean(inputs), self.spread * np.sqrt(variance)
        across = self.kernel.between(self.seen.inputs, inputs)
        reduced = solve_triangular(self.factor, across, lower=True, check_finite=False)
        variance = np.maximum(variance - (reduced**2).sum(0), 1e-12)
        mean = self.shift + self.spread * (across.T @ self._weights)
        return np.asarray(mean), np.asarray(self.spread * np.sqrt(variance))

    def draws(self, inputs: Array, count: int, random: np.random.Generator) -> Array:
        """Joint samples (count, M) of the function at points (M, D)."""
        cover = self.kernel.between(inputs, inputs)
        if len(self.seen):
            across = self.kernel.between(self.seen.inputs, inputs)
            reduced = solve_triangular(self.factor, across, lower=True, check_finite=False)
            cover = cover - reduced.T @ reduced
        normal = random.standard_normal((count, len(inputs)))
        return np.asarray(self.mean(inputs) + self.spread * (normal @ lower(cover).T))

    def leave_one_out(self) -> tuple[Array, Array]:
        """What the others say of each observation: mean and deviation (N,), its noise included.

        Source: Rasmussen and Williams 2006, section 5.4.2.
        """
        inverse = np.diag(cho_solve((self.factor, True), np.eye(len(self.seen))))
        values = (self.seen.values - self.shift) / self.spread
        mean = values - self._weights / inverse
        return self.shift + self.spread * mean, self.spread / np.sqrt(inverse)

    def believing(self, inputs: Array) -> GaussianProcess:
        """The process as if its own means had been observed at these points."""
        seen = Observed(
            np.vstack([self.seen.inputs, inputs]),
            np.concatenate([self.seen.values, self.mean(inputs)]),
            np.concatenate([self.seen.noise, np.zeros(len(inputs))]),
        )
        return GaussianProcess(self.kernel, seen, self.shift, self.spread)


def lower(cover: Array) -> Array:
    """Lower Cholesky factor, with as little added to the diagonal as it takes."""
    size = max(float(np.mean(np.diag(cover))), 1e-12) if len(cover) else 1.0
    added = JITTER * size
    while True:
        try:
            return np.asarray(np.linalg.cholesky(cover + added * np.eye(len(cover))))
        except np.linalg.LinAlgError:
            if added > size:
                raise
            added *= 10


def nothing(coordinates: int) -> Observed:
    """No observation."""
    return Observed(np.zeros((0, coordinates)), np.zeros(0), np.zeros(0))
