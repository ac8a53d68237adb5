"""What past tasks say about the present one: a mixture of their processes that can be unlearnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.search.history.record import TaskRecord
from luthier.search.models.affinity import affinities
from luthier.search.models.fitting import fit, location
from luthier.search.models.gp import GaussianProcess, Observed
from luthier.search.models.matern import Kernel, KernelPrior
from luthier.search.models.past import PastModel, past_model
from luthier.search.models.ranking import ranking_shares
from luthier.search.space import Space

Array = NDArray[np.float64]

LEVEL, SLOPE, MISFIT = 1.0, 0.5, 0.1
"""Prior deviations of how far a past task lies above or below this one and of the ratio of their
ranges, and what the best such shift still misses."""

LIKE_PAST = 0.7
"""Deviation of log length-scales from their mean over past tasks."""

NEGLIGIBLE = 1e-3


@dataclass(frozen=True, eq=False)
class Library:
    """Past tasks with a process, and how much each counts before anything is seen (J,)."""

    models: tuple[PastModel, ...]
    affinity: Array
    width: int

    @property
    def processes(self) -> list[GaussianProcess]:
        """Of the past tasks, in order."""
        return [m.process for m in self.models if m.process is not None]

    @property
    def prior(self) -> KernelPrior:
        """Length-scales as past tasks had them."""
        blank = KernelPrior.of_width(self.width)
        if not self.models:
            return blank
        logs = np.mean([np.log(p.kernel.scales) for p in self.processes], axis=0)
        return KernelPrior(np.exp(logs), LIKE_PAST)

    def before(self, inputs: Array) -> Array:
        """Expected values (M,) by the likeness of tasks alone; 0 without history."""
        if not self.models:
            return np.zeros(len(inputs))
        shares = self.affinity / self.affinity.sum()
        return np.asarray(
            sum(s * p.mean(inputs) for s, p in zip(shares, self.processes, strict=True))
        )


def library(
    space: Space, past: Sequence[TaskRecord], features: Mapping[str, float], kind: str, share: bool
) -> tuple[Library, tuple[PastModel, ...]]:
    """The past tasks that have something to hand on, and the models of all."""
    everything = tuple(past_model(record, space) for record in past)
    alike = affinities(features, past, kind, share)
    alike = alike * np.asarray([m.quality for m in everything])
    kept = [j for j, weight in enumerate(alike) if weight > 0]
    models = tuple(everything[j] for j in kept)
    return Library(models, alike[kept], space.width), everything


@dataclass(frozen=True, eq=False)
class Member:
    """A past process moved to the present task: shift and slope are estimated, with covariance."""

    process: GaussianProcess
    center: float
    shift: float
    slope: float
    cover: Array

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        """Expected values and deviations (M,) on the present task."""
        mean, deviation = self.process.predict(inputs)
        off = mean - self.center
        doubt = self.cover[0, 0] + 2 * self.cover[0, 1] * off + self.cover[1, 1] * off**2
        variance = (self.slope * deviation) ** 2 + np.maximum(doubt, 0.0)
        return self.center + self.shift + self.slope * off, np.sqrt(variance)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Past tasks and the present one with weights that sum to 1; `own` is the present one's."""

    members: tuple[Member, ...]
    weights: Array
    own: float
    target: GaussianProcess

    def prior(self, inputs: Array) -> tuple[Array, Array]:
        """Mean and deviation (M,) where the present task's share only knows its usual level.

        What its observations say of single configurations is left to whoever models the residual.
        """
        flat = np.full(len(inputs), self.target.shift), np.full(len(inputs), self.target.spread)
        return self._moments(inputs, flat)

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        """Mean and deviation (M,) of the mixture with the present task's own process."""
        return self._moments(inputs, self.target.predict(inputs))

    def _moments(self, inputs: Array, own: tuple[Array, Array]) -> tuple[Array, Array]:
        parts = [(self.own, *own)] if self.own > 0 or not self.members else []
        for member, weight in zip(self.members, self.weights, strict=True):
            if weight >= NEGLIGIBLE:
                parts.append((weight, *member.predict(inputs)))
        total = sum(part[0] for part in parts) or 1.0
        mean = np.asarray(sum(w * m for w, m, _ in parts) / total)
        square = sum(w * (d**2 + (m - mean) ** 2) for w, m, d in parts) / total
        return mean, np.sqrt(np.asarray(square))


def blend(past: Library, seen: Observed, starts: Sequence[Kernel] = ()) -> Mixture:
    """The mixture given observations of the present task.

    Without observations, weights follow the likeness of tasks. With them they are its product with
    the probability that a task ranks the observations best; the present task counts as wholly like
    itself, so it takes over as soon as its own process ranks better.
    """
    target = fit(seen, past.prior, *location(seen.values, seen.noise), starts)
    raw = np.append(past.affinity, 1.0 if not past.models else 0.0)
    if len(seen) and past.models:
        raw = np.append(past.affinity, 1.0) * ranking_shares(past.processes, target)
    weights = raw / raw.sum() if raw.sum() > 0 else np.append(0.0 * past.affinity, 1.0)
    apart = float(np.std([p.shift for p in past.processes])) if past.models else 0.0
    members = tuple(_moved(process, seen, apart) for process in past.processes)
    return Mixture(members, weights[:-1], float(weights[-1]), target)


def _moved(process: GaussianProcess, seen: Observed, apart: float) -> Member:
    """The process with the shift and slope that fit the observations best, given the priors.

    Without observations it stays, and its level is doubted as far as past levels lie apart.
    """
    if not len(seen):
        return Member(process, process.shift, 0.0, 1.0, np.diag([apart**2, SLOPE**2]))
    mean, deviation = process.predict(seen.inputs)
    precision = 1 / (seen.noise**2 + deviation**2 + MISFIT**2)
    center = float(precision @ mean / precision.sum())
    design = np.column_stack([np.ones(len(seen)), mean - center])
    inverse = design.T @ (design * precision[:, None]) + np.diag([LEVEL**-2, SLOPE**-2])
    cover = np.linalg.inv(inverse)
    shift, more = cover @ (design.T @ (precision * (seen.values - mean)))
    return Member(process, center, float(shift), max(0.1, 1 + float(more)), np.asarray(cover))
