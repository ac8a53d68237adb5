"""Which candidate to advance next: expected improvement per cost, also for several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log1p, log_ndtr, ndtr

from luthier.search.models.posterior import Belief, Posterior
from luthier.search.trial import Config, Trial

Array = NDArray[np.float64]

COST_WEIGHT = 0.5
"""Power of the cost by which an improvement is divided."""

_HALF_LOG = 0.5 * np.log(2 * np.pi)
_FAR = -1e5


def log_expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """log E[max(0, final - best)] (N,), finite however hopeless a candidate is.

    `best` is the predicted final value of the incumbent, not what it shows now.
    Source: Ament et al. 2023.
    """
    width = np.maximum(np.asarray(deviation, np.float64), 1e-9)
    return np.asarray(_log_gain((np.asarray(mean, np.float64) - best) / width) + np.log(width))


def _log_gain(z: Array) -> Array:
    """log(density(z) + z probability(z)) of the standard normal."""
    near = np.maximum(z, -1.0)
    plain = np.log(np.exp(-0.5 * near**2 - _HALF_LOG) + near * ndtr(near))
    middle = np.clip(z, _FAR, -1.0)
    ratio = -middle * erfcx(-middle / np.sqrt(2)) * np.sqrt(np.pi / 2)
    low = -0.5 * middle**2 - _HALF_LOG + log1p(-np.minimum(ratio, 1 - 1e-15))
    far = np.minimum(z, _FAR)
    end = -0.5 * far**2 - _HALF_LOG - 2 * np.log(-far)
    return np.asarray(np.where(z > -1, plain, np.where(z > _FAR, low, end)))


def log_feasible(mean: Array, deviation: Array, limit: float) -> Array:
    """Log probability (N,) that a normal measure stays at or below its limit."""
    width = np.maximum(np.asarray(deviation, np.float64), 1e-9)
    return np.asarray(log_ndtr((limit - np.asarray(mean, np.float64)) / width))


class Conditional(Posterior, Protocol):
    """A posterior that can be asked what it would be if its own expectations came true."""

    def believing(self, configs: Sequence[Config]) -> Conditional:
        """As if these configurations had ended where they are expected to."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """New configurations, then paused trials; all arrays are (N,) over both in this order.

    `costs` leads to the next decision point. `feasible` is the log probability that all
    constraints hold, None for certain.
    """

    configs: Sequence[Config]
    trials: Sequence[Trial]
    costs: Array
    feasible: Array | None = None

    def beliefs(self, posterior: Posterior) -> Belief:
        """Of all, in order."""
        new, old = posterior.of_configs(self.configs), posterior.of_trials(self.trials)
        return Belief(
            np.concatenate([new.mean, old.mean]), np.concatenate([new.deviation, old.deviation])
        )

    def config(self, place: int) -> Config:
        """The configuration of a candidate."""
        new = len(self.configs)
        return self.configs[place] if place < new else self.trials[place - new].config

    def scores(
        self, posterior: Posterior, best: float, cost_weight: float = COST_WEIGHT
    ) -> tuple[Array, Array]:
        """How much each is worth advancing, on a log scale, and its expected value (N,)."""
        found = self.beliefs(posterior)
        gain = log_expected_improvement(found.mean, found.deviation, best)
        certain = 0.0 if self.feasible is None else self.feasible
        return gain + certain - cost_weight * np.log(self.costs), found.mean


def batch(
    posterior: Conditional,
    candidates: Candidates,
    best: float,
    count: int,
    cost_weight: float = COST_WEIGHT,
) -> list[int]:
    """Places of the next `count` candidates, best first.

    After each choice the posterior believes its own expectation of it, so that the next one is
    not its neighbour. Fewer come back when there are fewer candidates.
    """
    taken: list[int] = []
    for _ in range(min(count, len(candidates.costs))):
        worth, means = candidates.scores(posterior, best, cost_weight)
        worth[taken] = -np.inf
        place = int(np.argmax(worth))
        taken.append(place)
        best = max(best, float(means[place]))
        posterior = posterior.believing([candidates.config(place)])
    return taken


def incumbent(posterior: Posterior, trials: Sequence[Trial]) -> tuple[Trial, float] | None:
    """The trial with the highest predicted final value, and that value; None without a curve."""
    shown = [t for t in trials if t.curve and t.status not in ("diverged", "failed")]
    if not shown:
        return None
    means = posterior.of_trials(shown).mean
    place = int(np.argmax(means))
    return shown[place], float(means[place])
