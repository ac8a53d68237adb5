"""Which model ranks observations best, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.search.models.gp import GaussianProcess, Observed

Array = NDArray[np.float64]

DRAWS, FEW_DRAWS, MANY = 256, 64, 50
"""Bootstrap draws, and how many with more than `MANY` observations."""

ENOUGH = 4
"""Observations from which a model can be told to be worse than the target's own."""


def ranking_shares(models: Sequence[GaussianProcess], target: GaussianProcess) -> Array:
    """Probabilities (J + 1,) that a model misranks the fewest pairs; the target's own is last.

    A model whose median loss is above the 95th percentile of the target's left-out loss gets 0.
    Every draw resamples the observations and the models' functions. Source: Feurer et al. 2018.
    """
    seen, random = target.seen, np.random.default_rng(0)
    if len(seen) < 2:
        return np.full(len(models) + 1, 1 / (len(models) + 1))
    draws = DRAWS if len(seen) <= MANY else FEW_DRAWS
    times = random.multinomial(len(seen), np.full(len(seen), 1 / len(seen)), draws).astype(float)
    losses = np.asarray(
        [_loss(m.draws(seen.inputs, draws, random), seen, times) for m in models]
        + [_left_out_loss(target, times, random)]
    )
    if len(seen) >= ENOUGH:
        worse = np.median(losses[:-1], axis=1) > np.quantile(losses[-1], 0.95)
        losses[:-1][worse] = np.inf
    best = losses == losses.min(axis=0)
    return np.asarray((best / best.sum(axis=0)).mean(axis=1))


def _loss(samples: Array, seen: Observed, times: Array) -> Array:
    wrong = (samples[:, :, None] < samples[:, None, :]) != _below(seen)
    return _share(wrong, times)


def _left_out_loss(target: GaussianProcess, times: Array, random: np.random.Generator) -> Array:
    mean, deviation = target.leave_one_out()
    samples = mean + deviation * random.standard_normal(times.shape)
    wrong = (samples[:, :, None] < target.seen.values) != _below(target.seen)
    return _share(wrong, times)


def _below(seen: Observed) -> NDArray[np.bool_]:
    return np.asarray(seen.values[:, None] < seen.values[None, :])


def _share(wrong: NDArray[np.bool_], times: Array) -> Array:
    counted = wrong & ~np.eye(wrong.shape[1], dtype=bool)
    found = np.einsum("sj,sjk,sk->s", times, counted.astype(np.float64), times, optimize=True)
    pairs = times.sum(1) ** 2 - (times**2).sum(1)
    return np.where(pairs > 0, found / np.maximum(pairs, 1.0), 0.5)
