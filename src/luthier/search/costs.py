"""What a slice will cost: a known ratio between configurations, times what was measured here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from luthier.search.trial import UNITS, Config, Trial


def equal(config: Config) -> float:
    """Every configuration costs the same."""
    return 1.0


@dataclass
class Costs:
    """`relative` says what a configuration costs per unit relative to the default, before any is
    measured; the seconds of a unit are the median over what trials showed. A whole run of the
    default is what it took, once it was made."""

    relative: Callable[[Config], float] = equal
    unit_seconds: float = 1.0
    whole: float | None = None

    def learn(self, trials: Sequence[Trial]) -> None:
        """Takes in what the trials have cost so far."""
        seen = [t.cost / t.unit / self.relative(t.config) for t in trials if t.unit]
        if seen:
            self.unit_seconds = float(np.median(seen))
        # Young trials are looked at more often for what they train, and fill shared caches.
        if trials and trials[0].unit >= UNITS:
            self.whole = trials[0].cost

    def expected(self, config: Config, units: float) -> float:
        """Processor seconds of so many units."""
        return max(1e-9, units * self.unit_seconds * self.relative(config))

    @property
    def full(self) -> float:
        """Seconds of one whole run of the default."""
        return UNITS * self.unit_seconds if self.whole is None else max(self.whole, 1e-9)
