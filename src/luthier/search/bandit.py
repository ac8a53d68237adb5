"""Which source of proposals to trust: discounted Thompson sampling.

Source: Raj and Kalyani 2017, "Taming Non-stationary Bandits".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

DISCOUNT = 0.95
PRIOR_WEIGHT = 1.0
SIMULATIONS = 400


@dataclass(frozen=True)
class ArmPrior:
    """What is expected of an arm before it was tried here: mean reward, worth so many pulls."""

    mean: float
    weight: float = PRIOR_WEIGHT


@dataclass
class Arm:
    """Discounted count, sum and sum of squares of an arm's rewards."""

    count: float = 0.0
    total: float = 0.0
    squares: float = 0.0


@dataclass
class Bandit:
    """Rewards are gains per cost, never negative. Large ones are cut at the 95th percentile seen,
    so that one lucky trial does not decide for good."""

    priors: Mapping[str, ArmPrior]
    arms: dict[str, Arm] = field(default_factory=dict)
    seen: list[float] = field(default_factory=list)

    def choose(
        self, random: np.random.Generator, available: Sequence[str]
    ) -> tuple[str, dict[str, float]]:
        """An arm among the available ones, and the probability each had.

        The probabilities are shares of simulated draws, at least one half draw each.
        """
        means, deviations = self._beliefs(available)
        draws = random.normal(means, deviations, (SIMULATIONS, len(available)))
        wins = np.bincount(draws.argmax(1), minlength=len(available)) + 0.5
        chances = wins / wins.sum()
        picked = int(random.choice(len(available), p=chances))
        return available[picked], dict(zip(available, map(float, chances), strict=True))

    def reward(self, name: str, value: float) -> None:
        """Takes a reward in; every arm forgets a little."""
        self.seen.append(value)
        limit = float(np.quantile(self.seen, 0.95)) if len(self.seen) >= 5 else value
        cut = max(0.0, min(value, limit))
        for arm in self.arms.values():
            arm.count, arm.total = arm.count * DISCOUNT, arm.total * DISCOUNT
            arm.squares *= DISCOUNT
        arm = self.arms.setdefault(name, Arm())
        arm.count += 1
        arm.total += cut
        arm.squares += cut * cut

    def _beliefs(self, names: Sequence[str]) -> tuple[list[float], list[float]]:
        known = [a for a in self.arms.values() if a.count > 0]
        pulls = sum(a.count for a in known)
        spread = max([p.mean for p in self.priors.values()] or [1.0])
        if pulls > 1:
            mean = sum(a.total for a in known) / pulls
            variance = max(0.0, sum(a.squares for a in known) / pulls - mean**2)
            spread = max(math.sqrt(variance), 0.1 * spread)
        means, deviations = [], []
        for name in names:
            prior, arm = self.priors.get(name, ArmPrior(0.0)), self.arms.get(name, Arm())
            weight = prior.weight + arm.count
            means.append((prior.weight * prior.mean + arm.total) / weight)
            deviations.append(spread / math.sqrt(weight))
        return means, deviations
