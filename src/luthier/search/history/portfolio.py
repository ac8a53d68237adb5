"""A few configurations that together served earlier tasks best: what is tried first on a new one.

Source: Feurer et al. 2022 (Auto-sklearn 2.0), section 3.2, greedy portfolios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.search.history.record import TaskRecord
from luthier.search.models.affinity import affinities
from luthier.search.models.past import PastModel, fitted, past_model
from luthier.search.space import Space, same
from luthier.search.trial import Config

PER_TASK = 12
"""Best configurations of each task that may enter."""

FLATTEN = 0.05
"""Least weight of a task, however unlike: what serves all is safer than what serves a neighbour."""


def portfolio(
    space: Space,
    past: Sequence[TaskRecord],
    features: Mapping[str, float],
    size: int,
    kind: str = "",
    share: bool = True,
) -> list[Config]:
    """At most `size` configurations of the space, the most useful one first.

    Each next one raises the weighted mean over past tasks of the best value reached so far most.
    Values are those of the task's process, in units of its own spread, so that no task counts for
    more because its scores vary more. Empty without past tasks that can be read.
    """
    models = [m for m in (past_model(r, space) for r in past) if m.process is not None]
    if not models:
        return []
    weights = FLATTEN + affinities(features, [m.record for m in models], kind, share)
    candidates = _candidates(space, models)
    table = np.stack([_values(model, space, candidates) for model in models])
    return [candidates[i] for i in _greedy(table, weights / weights.sum(), size)]


def _candidates(space: Space, models: Sequence[PastModel]) -> list[Config]:
    found: list[Config] = []
    for model in models:
        ranked = np.argsort(-model.projected.seen.values)[:PER_TASK]
        for place in ranked:
            config = fitted(model.projected.trials[place].config, space)
            if config is not None and not any(same(config, c) for c in found):
                found.append(config)
    return found


def _values(model: PastModel, space: Space, candidates: Sequence[Config]) -> NDArray[np.float64]:
    """What the task's process says of each candidate, between its median (0) and its best (1)."""
    assert model.process is not None
    mean = model.process.mean(space.encode(candidates))
    middle, best = float(np.median(mean)), float(mean.max())
    return np.asarray((mean - middle) / max(best - middle, 1e-6))


def _greedy(table: NDArray[np.float64], weights: NDArray[np.float64], size: int) -> list[int]:
    best = np.full(len(table), -np.inf)
    chosen: list[int] = []
    while len(chosen) < min(size, table.shape[1]):
        reached = np.maximum(best[:, None], table)
        value = weights @ np.where(np.isfinite(reached), reached, 0.0)
        value[chosen] = -np.inf
        place = int(np.argmax(value))
        chosen.append(place)
        best = np.maximum(best, table[:, place])
    return chosen
