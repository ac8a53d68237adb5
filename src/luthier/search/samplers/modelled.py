"""Sources that ask a model: where would the expected gain per cost be largest?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.search.models.acquisition import log_expected_improvement
from luthier.search.models.posterior import Posterior
from luthier.search.sampler import Proposal, View
from luthier.search.trial import Config, Trial

FROM_PRIOR, FROM_SPREAD, FROM_BEST = 512, 256, 64
COST_WEIGHT = 0.5


@dataclass(frozen=True)
class Transfer:
    """The model that knows earlier tasks."""

    name: str = "transfer"

    def propose(self, view: View) -> Proposal | None:
        """The candidate with the largest expected gain for its cost."""
        return best_candidate(view, view.posterior)


@dataclass(frozen=True)
class Target:
    """The model that knows this task only."""

    name: str = "target"

    def propose(self, view: View) -> Proposal | None:
        """As above; it says nothing before two trials were looked at."""
        seen = sum(1 for t in view.trials if t.curve)
        return best_candidate(view, view.own) if seen >= 2 else None


def best_candidate(view: View, posterior: Posterior) -> Proposal | None:
    """The untried candidate with the largest log expected improvement less half the log cost."""
    candidates = [c for c in pool(view) if not view.tried(c)]
    if not candidates:
        return None
    belief = posterior.of_configs(candidates)
    gain = log_expected_improvement(belief.mean, belief.deviation, view.best)
    cost = np.log([view.costs.expected(c, 1.0) for c in candidates])
    return Proposal(candidates[int(np.argmax(gain - COST_WEIGHT * cost))])


def pool(view: View) -> list[Config]:
    """Candidates: draws from the prior, evenly spread points, and neighbours of the best trials."""
    seed = int(view.random.integers(2**31))
    found = view.space.draw(view.random, FROM_PRIOR) + view.space.spread(FROM_SPREAD, seed)
    ranked = sorted((t for t in view.trials if t.curve and t.status != "diverged"),
                    key=lambda t: _standing(view, t), reverse=True)  # fmt: skip
    for trial in ranked[:3]:
        found += [view.space.near(trial.config, view.random) for _ in range(FROM_BEST // 3)]
    return [*found, *view.portfolio]


def _standing(view: View, trial: Trial) -> float:
    return float(view.scale.relative(trial.curve[-1].score))
