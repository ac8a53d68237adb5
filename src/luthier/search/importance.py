"""Which parameters mattered: shares of the believed variance of the final score.

Source: Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter Importance", whose
main effects are estimated here by conditional means over draws from the prior.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.search.models.posterior import Posterior
from luthier.search.space import Space
from luthier.search.trial import Trial

DRAWS = 512
BINS = 8
RESAMPLES = 50


def importance(
    space: Space, posterior: Posterior, trials: Sequence[Trial], seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Per parameter the share of variance that it explains alone: value, low, high (90 %).

    Empty before three trials were looked at. The interval covers the draws, not what the model
    does not know.
    """
    if sum(1 for t in trials if t.curve) < 3:
        return {}
    random = np.random.default_rng(seed)
    configs = space.draw(random, DRAWS)
    values = posterior.of_configs(configs).mean
    found = {}
    for parameter in space.parameters:
        if parameter.fixed:
            continue
        groups = _groups([c[parameter.name] for c in configs])
        each = [
            _share(groups, values, random.integers(DRAWS, size=DRAWS)) for _ in range(RESAMPLES)
        ]
        low, high = np.quantile(each, [0.05, 0.95])
        found[parameter.name] = (_share(groups, values, np.arange(DRAWS)), float(low), float(high))
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def _groups(column: Sequence[float | int | str]) -> NDArray[np.int64]:
    """Bins of a parameter's values: its options, or eight quantiles of a range."""
    options = sorted(set(column), key=str)
    if len(options) <= BINS:
        return np.asarray([options.index(v) for v in column])
    numbers = np.asarray(column, np.float64)
    edges = np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, numbers))


def _share(
    groups: NDArray[np.int64], values: NDArray[np.float64], rows: NDArray[np.int64]
) -> float:
    chosen, own = groups[rows], values[rows]
    total = float(own.var())
    if total <= 0:
        return 0.0
    within = sum(own[chosen == g].var() * (chosen == g).sum() for g in np.unique(chosen)) / len(own)
    return max(0.0, 1 - float(within) / total)
