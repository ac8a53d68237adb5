"""What a search knows when it chooses between stopping, going on and beginning something new."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Move: TypeAlias = Literal["stop", "continue", "begin"]
MOVES: tuple[Move, ...] = ("stop", "continue", "begin")
LEAST_GAIN = 1e-9


@dataclass(frozen=True)
class Situation:
    """Numbers without units, so that what one task taught can be used on another.

    `used` is the share of the budget that is gone. Gains are those expected of training to the
    end, in prices of one whole run; costs are whole runs up to the next look. `lead` is the
    incumbent's advantage over the default and `doubt` the deviation of its belief, both in the
    search's relative score. What cannot be done has the gain 0 and the cost 1.
    """

    used: float
    trials: float
    gain_continue: float
    gain_begin: float
    cost_continue: float
    cost_begin: float
    unit_continue: float
    lead: float
    doubt: float
    unfinished: float

    def vector(self) -> NDArray[np.float64]:
        """Features (F,) for linear values: a constant, and each number tamed."""
        gains = [math.log10(max(g, LEAST_GAIN)) for g in (self.gain_continue, self.gain_begin)]
        better = max(gains)
        return np.asarray(
            [
                1.0,
                self.used,
                math.log1p(self.trials),
                *(g / 3 for g in gains),
                better / 3 * self.used,
                self.cost_continue,
                self.cost_begin,
                self.unit_continue,
                math.tanh(self.lead),
                math.log1p(self.doubt),
                self.unfinished,
            ]
        )

    def as_dict(self) -> dict[str, float]:
        """Named numbers, for the log of decisions."""
        return dict(zip((f.name for f in fields(self)), map(float, astuple(self)), strict=True))

    @classmethod
    def from_dict(cls, numbers: Mapping[str, float]) -> Situation:
        """The reverse; other names are passed over."""
        return cls(**{f.name: float(numbers[f.name]) for f in fields(cls)})
