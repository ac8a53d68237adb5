"""The mechanism whose privacy is accounted: bounded units, their sum, noise, a public divisor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

STABILITY = 0.01
"""Added to a norm by automatic clipping, so that vanishing gradients stay small."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Mechanism:
    """The subsampled Gaussian mechanism.

    `noise` is the noise multiplier, `clip` the bound of each unit's gradient, `divisor` the
    expected number of units of a step: a public number, never the number that was drawn.

    Source: Abadi et al. 2016, "Deep Learning with Differential Privacy"; automatic clipping is
    Bu et al. 2022, "Automatic Clipping".
    """

    noise: float
    divisor: float
    clip: float = 1.0
    clipping: Literal["automatic", "flat"] = "automatic"

    def factors(self, norms: Tensor) -> Tensor:
        """What each unit's gradient is multiplied by, so that no norm exceeds `clip`; zero where
        the norm is not finite."""
        if self.clipping == "flat":
            found = (self.clip / norms).clamp(max=1.0)
        else:
            found = self.clip / (norms + STABILITY)
        return torch.where(torch.isfinite(norms), found, 0.0)

    def bounded(self, norm: float) -> float:
        """What becomes of a gradient of this norm."""
        if self.clipping == "flat":
            return min(norm, self.clip)
        return norm * self.clip / (norm + STABILITY)

    def blur(self, sums: Sequence[Tensor], random: np.random.Generator) -> None:
        """Adds the noise to every sum, once per logical step."""
        deviation = self.noise * self.clip if self.noise else 0.0
        if not deviation:
            return
        if not math.isfinite(deviation):
            raise ValueError("noise needs a finite clip")
        for total in sums:
            flat = total.view(-1)
            for at in range(0, len(flat), _CHUNK):
                part = flat[at : at + _CHUNK]
                drawn = torch.from_numpy(random.standard_normal(len(part), dtype=np.float32))
                part.add_(drawn.to(part.device), alpha=deviation)

    def divide(self, sums: Sequence[Tensor]) -> None:
        """Makes the sums a mean over the expected number of units."""
        for total in sums:
            total.div_(self.divisor)
