"""The learning rate over the steps, and its default from a formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class RateSchedule:
    """A factor between 0 and 1 for update number `step` of `steps`.

    `warmup` and `decay` are shares of all steps; `floor` is the lowest factor after the warm-up.

    Source: Hu et al. 2024 (MiniCPM), section 4, for warm-up, stable, decay.
    """

    steps: int
    kind: Literal["wsd", "cosine", "linear", "constant"] = "wsd"
    warmup: float = 0.06
    decay: float = 0.3
    floor: float = 0.0

    def at(self, step: int) -> float:
        """The factor for the update with this 0-based number.

        >>> RateSchedule(100, "constant", warmup=0.1).at(4)
        0.5
        """
        rising = round(self.warmup * self.steps)
        if step < rising:
            return (step + 1) / rising
        gone = min(1.0, (step - rising) / max(1, self.steps - rising))
        if self.kind == "constant":
            return 1.0
        if self.kind == "linear":
            return self.floor + (1 - self.floor) * (1 - gone)
        if self.kind == "cosine":
            return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * gone))
        falling = round(self.decay * self.steps)
        left = max(0, self.steps - step)
        return 1.0 if left >= falling else self.floor + (1 - self.floor) * left / falling


def default_rate(width: int, batch_size: int, rate_factor: float, causal: bool) -> float:
    """Learning rate of an adapter on a model of this width.

    5e-5 for full fine-tuning of a model 2000 wide, times (2000 / width) to the power p, times the
    adapter's factor, times the root of the batch size relative to 32, within 1/2 to 2. p is 0.781
    for causal models and 0.0775 for encoders, whose output layer already begins as a fitted probe.

    Source: the form, both exponents and the factor ten for LoRA are those of the tinker-cookbook
    sweeps of two causal families; which exponent encoders get is our choice. The root of the batch
    size is Malladi et al. 2022.
    """
    by_batch = min(2.0, max(0.5, math.sqrt(batch_size / 32)))
    power = 0.781 if causal else 0.0775
    return float(5e-5 * (2000 / width) ** power * rate_factor * by_batch)
