"""The covariance of the Gaussian processes and what is believed about its parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

ROOT5 = math.sqrt(5.0)


@dataclass(frozen=True, eq=False)
class Kernel:
    """Matern-5/2 with a length-scale per coordinate, plus a constant of unknown size.

    `scales` (D,) are lengths in the unit cube, `amplitude` the deviation of the function, `floor`
    the deviation that every observation has beyond its known noise, `level` the deviation of the
    constant. All but the lengths are in units of the modelled values.
    """

    scales: NDArray[np.float64]
    amplitude: float = 1.0
    floor: float = 0.1
    level: float = 1.0

    def between(
        self, first: NDArray[np.float64], second: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Covariances (N, M) of the function at two sets of points."""
        distance = ROOT5 * cdist(first / self.scales, second / self.scales)
        shape = (1 + distance + distance**2 / 3) * np.exp(-distance)
        return np.asarray(self.amplitude**2 * shape + self.level**2)

    @property
    def variance(self) -> float:
        """Of the function at any point before anything is seen."""
        return self.amplitude**2 + self.level**2


@dataclass(frozen=True, eq=False)
class KernelPrior:
    """Log-normal beliefs: medians and deviations of the logarithm.

    The default length grows with the root of the dimension, so that the smoothness expected of a
    function does not depend on how many coordinates there are (Hvarfner et al. 2024).
    """

    scales: NDArray[np.float64]
    scales_width: float = 0.7
    amplitude: float = 0.87
    amplitude_width: float = 0.25
    floor: float = 0.15
    floor_width: float = 1.0
    level: float = 0.5

    @classmethod
    def of_width(cls, coordinates: int) -> KernelPrior:
        """For so many coordinates when nothing is known of them."""
        return cls(np.full(coordinates, 0.25 * math.sqrt(max(1, coordinates))))

    @property
    def kernel(self) -> Kernel:
        """The medians."""
        return Kernel(self.scales, self.amplitude, self.floor, self.level)

    @property
    def center(self) -> NDArray[np.float64]:
        """Logarithms of the medians: lengths, amplitude, floor (D + 2,)."""
        return np.asarray(np.log(np.concatenate([self.scales, [self.amplitude, self.floor]])))

    @property
    def width(self) -> NDArray[np.float64]:
        """Deviations of the logarithms, in the same order."""
        lengths = np.full(len(self.scales), self.scales_width)
        return np.concatenate([lengths, [self.amplitude_width, self.floor_width]])
