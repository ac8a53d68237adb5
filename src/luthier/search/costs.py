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
    default is what it took, once it was made. All these are processor seconds; `pace` is how many
    seconds of the clock one of them takes, fewer than one on several cores."""

    relative: Callable[[Config], float] = equal
    unit_seconds: float = 1.0
    whole: float | None = None
    pace: float = 1.0
    _since: tuple[float, float] | None = None

    def learn(self, trials: Sequence[Trial], now: float) -> None:
        """Takes in what the trials have cost until `now`, in seconds of the clock."""
        seen = [t.cost / t.unit / self.relative(t.config) for t in trials if t.unit]
        if seen:
            self.unit_seconds = float(np.median(seen))
        # Young trials are looked at more often for what they train, and fill shared caches.
        if trials and trials[0].unit >= UNITS:
            self.whole = trials[0].cost
        cost = sum(t.cost for t in trials)
        # What an earlier process spent says nothing of this one's clock.
        began, before = self._since = self._since or (now, cost)
        if cost > before and now > began:
            self.pace = (now - began) / (cost - before)

    def expected(self, config: Config, units: float) -> float:
        """Processor seconds of so many units."""
        return max(1e-9, units * self.unit_seconds * self.relative(config))

    @property
    def full(self) -> float:
        """Processor seconds of one whole run of the default."""
        return UNITS * self.unit_seconds if self.whole is None else max(self.whole, 1e-9)

    @property
    def whole_seconds(self) -> float:
        """Seconds of the clock that one whole run of the default takes."""
        return self.full * self.pace
