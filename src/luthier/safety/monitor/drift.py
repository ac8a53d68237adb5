"""A sequential test for drift of embeddings that may be looked at after every request.

The test bets against "new requests come from where the reference came from". Wealth is a test
martingale under that claim, so the chance that it ever reaches 1/alpha is at most alpha, however
often one looks.

Source: Shafer and Vovk 2019, "Game-Theoretic Foundations for Probability and Finance"; Waudby-Smith
and Ramdas 2024, "Estimating means of bounded random variables by betting"; Shekhar and Ramdas 2023,
"Nonparametric Two-Sample Testing by Betting"; Rahimi and Recht 2007 (random features).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun
from luthier.core.seeds import derive

FEATURES = 64
_MOST = 0.5
"""Largest stake; wealth stays positive for any payoff between -1 and 1."""


@dataclass(frozen=True)
class Reference:
    """What requests looked like when all was well: embeddings (N, D) as random features.

    `held` (H, F) are the features of the rows that are paid against new requests, in drawn order;
    a fifth of the rows only sets the width of the kernel.
    """

    weights: NDArray[np.float64]
    phases: NDArray[np.float64]
    held: NDArray[np.float64]

    @staticmethod
    def of(embeddings: NDArray[np.float32], seed: int) -> Reference:
        """A reference whose kernel width is the median distance of its rows.

        Raises: CheckRun for fewer than 50 rows.
        """
        count, width = embeddings.shape
        if count < 50:
            raise CheckRun("the drift reference", f"it has {count} rows", "at least 50 rows")
        dice = np.random.default_rng(derive(seed, "drift"))
        rows = embeddings.astype(np.float64)
        order = dice.permutation(count)
        apart = rows[order[: count // 5]]
        half = len(apart) // 2
        gaps = np.linalg.norm(apart[:half] - apart[half : 2 * half], axis=1)
        scale = float(np.median(gaps)) or 1.0
        weights = dice.normal(0, 1 / scale, (width, FEATURES))
        phases = dice.uniform(0, 2 * np.pi, FEATURES)
        return Reference(weights, phases, _features(rows[order[count // 5 :]], weights, phases))


class Drift:
    """Wealth of the bet that requests have drifted; an alarm is raised once it reaches 1/alpha.

    Each request is paid against one reference row that was not used before. When both come from the
    same source, the payoff is symmetric around zero whatever was seen before; this is what makes
    the test exact. Once every reference row is used the test is `exhausted` and bets no more.
    """

    def __init__(self, reference: Reference, alpha: float = 0.05) -> None:
        self._reference = reference
        self._alpha = alpha
        self.requests = 0
        self.log_wealth = 0.0
        self.highest = 0.0
        width = reference.held.shape[1]
        self._new = np.zeros(width)
        self._old = np.zeros(width)
        self._gains = 0.0
        self._squares = 1.0

    @property
    def alarm(self) -> bool:
        """Whether drift was shown at any time so far."""
        return bool(self.highest >= -np.log(self._alpha))

    @property
    def exhausted(self) -> bool:
        """Whether every reference row was used; more requests need a new reference."""
        return self.requests >= len(self._reference.held)

    def see(self, embedding: NDArray[np.float32]) -> None:
        """Bets on one request (D,). The stake and the direction come from earlier ones only."""
        if self.exhausted:
            return
        now = _features(
            embedding[None].astype(np.float64), self._reference.weights, self._reference.phases
        )[0]
        then = self._reference.held[self.requests]
        if self.requests:
            direction = (self._new - self._old) / self.requests
            length = float(np.linalg.norm(direction))
            payoff = float(np.tanh((now - then) @ direction / length)) if length else 0.0
            stake = float(np.clip(self._gains / self._squares, 0.0, _MOST))
            self.log_wealth += float(np.log1p(stake * payoff))
            self.highest = max(self.highest, self.log_wealth)
            self._gains += payoff
            self._squares += payoff * payoff
        self._new += now
        self._old += then
        self.requests += 1

    def state(self) -> dict[str, Any]:
        """Everything that goes on, JSON-ready; no request is in it."""
        return {
            "alpha": self._alpha,
            "requests": self.requests,
            "log_wealth": self.log_wealth,
            "highest": self.highest,
            "new": self._new.tolist(),
            "old": self._old.tolist(),
            "gains": self._gains,
            "squares": self._squares,
        }

    @staticmethod
    def resume(reference: Reference, state: dict[str, Any]) -> Drift:
        """The test as it was when `state` was taken.

        Raises: CheckRun for a state of another reference.
        """
        drift = Drift(reference, state["alpha"])
        if len(state["new"]) != reference.held.shape[1]:
            raise CheckRun("the drift state", "it belongs to another reference")
        drift.requests, drift.log_wealth = state["requests"], state["log_wealth"]
        drift.highest = state["highest"]
        drift._new, drift._old = np.array(state["new"]), np.array(state["old"])
        drift._gains, drift._squares = state["gains"], state["squares"]
        return drift


def _features(
    rows: NDArray[np.float64], weights: NDArray[np.float64], phases: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Random features (N, F) of the Gaussian kernel, each between -1 and 1."""
    made: NDArray[np.float64] = np.cos(rows @ weights + phases)
    return made
