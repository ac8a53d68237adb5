"""What a search's latest spending brought, as against what models promise of the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

DEFAULT = "t000"
"""The trial of the recipe as it stands; what it costs is not the search's."""


@dataclass
class Track:
    """Slices in order, each with its cost and how far it raised what may ship."""

    slices: list[tuple[float, float]] = field(default_factory=list)
    highest: float = float("-inf")

    @staticmethod
    def of(decisions: Iterable[tuple[str, float, float]]) -> Track:
        """From an earlier process: each slice's trial, cost and gain."""
        return Track(
            [(cost, gain) for name, cost, gain in decisions if cost > 0 and name != DEFAULT]
        )

    def take(self, trial: str, cost: float, before: float, after: float) -> float:
        """The gain of one more slice, which moved what may ship so; what only comes back to where
        it was is none."""
        self.highest = max(self.highest, before)
        gain = max(0.0, after - self.highest)
        if trial != DEFAULT:
            self.slices.append((cost, gain))
        return gain

    def brought(self, window: float) -> float | None:
        """The gain of the last `window` of cost; None before so much was spent."""
        spent = gained = 0.0
        for cost, gain in reversed(self.slices):
            if spent >= window:
                break
            spent, gained = spent + cost, gained + gain
        return gained if spent >= window else None
