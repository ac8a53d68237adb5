"""What costs privacy: the events that an accountant adds up."""

from __future__ import annotations

import math
from dataclasses import dataclass

from luthier.core.errors import FixRecipe

LEAST_NOISE = 0.1
"""Less noise than this is priced as none: its epsilon is infinite."""


@dataclass(frozen=True)
class Sampled:
    """`steps` sums of vectors of norm at most one, each over a Poisson sample in which every unit
    is with probability `rate`, told with normal noise of standard deviation `noise`.

    Raises: FixRecipe for numbers that no such sum has.
    """

    noise: float
    rate: float
    steps: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise) and self.noise >= 0):
            raise FixRecipe("noise", f"it is {self.noise}", "0 or above")
        if not 0 < self.rate <= 1:
            raise FixRecipe(
                "sampling rate", f"it is {self.rate}", "above 0 and at most 1",
                "a batch may not be larger than the data",
            )  # fmt: skip
        if self.steps < 0:
            raise FixRecipe("steps", f"{self.steps} updates", "0 or more")


@dataclass(frozen=True)
class Bounded:
    """Anything of which only its (epsilon, delta) is known, such as a whole private search.

    Raises: FixRecipe for numbers that promise nothing.
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise FixRecipe("epsilon", f"it is {self.epsilon}", "0 or above")
        if not 0 <= self.delta < 1:
            raise FixRecipe("delta", f"it is {self.delta}", "at least 0 and below 1")


Event = Sampled | Bounded
