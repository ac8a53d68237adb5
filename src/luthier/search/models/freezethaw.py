"""The posterior of a search: history, partial learning curves and their residual in one."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.search.history.record import TaskRecord
from luthier.search.models.affinity import affinities
from luthier.search.models.course import Course, Forecast, course
from luthier.search.models.curve import Curves, PooledCurves, pooled_curves
from luthier.search.models.fitting import UNSEEN, fit
from luthier.search.models.gp import Observed
from luthier.search.models.matern import Kernel
from luthier.search.models.past import PastModel
from luthier.search.models.posterior import Belief
from luthier.search.models.powerlaw import AsFinished, LastValue, PowerLaw
from luthier.search.models.transfer import Library, blend, library
from luthier.search.models.values import NEVER, belief, own_noise, sunk
from luthier.search.scale import Scale
from luthier.search.space import Space
from luthier.search.trial import Config, Trial

Array = NDArray[np.float64]

NARROWEST = 0.02
"""The residual's deviation is nowhere smaller."""

SUNK = 0.1
"""Deviation of a diverged trial's value."""

KEPT = 16
_pools: OrderedDict[tuple[str, ...], PooledCurves | None] = OrderedDict()


@dataclass(eq=False)
class FreezeThaw:
    """Beliefs about final relative scores given past tasks and the trials passed to `fit`.

    Each trial gives a pseudo-observation of its final value: what it showed when finished, else
    what its curve promises. The mixture over past tasks is the mean and the width of a process
    whose residual the pseudo-observations correct everywhere. `rows` is the number of validation
    rows, `kind` the task's name (empty: like every past task). `history` and `curve` switch parts
    off. Beliefs about configurations leave out the scatter between seeds. A clone, which began
    with the parameters of another trial, says nothing of its configuration alone.
    Sources: Swersky et al. 2014, Feurer et al. 2018.
    """

    space: Space
    scale: Scale
    past: Sequence[TaskRecord]
    features: Mapping[str, float]
    rows: int
    history: bool = True
    curve: bool = True
    kind: str = ""

    def __post_init__(self) -> None:
        share = self.scale.share
        self._library, models = library(self.space, self.past, self.features, self.kind, share)
        self._skipped = {m.record.id: m.projected.skipped for m in models}
        self._pool = _pool(models, share) if self.curve else None
        if not self.history:
            self._library = Library((), np.zeros(0), self.space.width)
        self._starts: list[Kernel] = []
        self._sunk = NEVER
        self.fit(())

    @property
    def skipped(self) -> dict[str, int]:
        """How many past trials could not be read in this space, by record."""
        return dict(self._skipped)

    @property
    def weights(self) -> dict[str, float]:
        """How much each past task counts, by record; what is missing to 1 is the task itself."""
        shares = self._mixture.weights
        pairs = zip(self._library.models, shares, strict=True)
        return {m.record.id: float(w) for m, w in pairs}

    def fit(self, trials: Sequence[Trial]) -> None:
        """Takes in all trials so far; what an earlier call was given is forgotten."""
        shown = [(t, course(t.curve, self.scale)) for t in trials if t.parent is None]
        kept = [(t, c) for t, c in shown if c is not None or t.status == "diverged"]
        inputs = self.space.encode([t.config for t, _ in kept])
        going = [p for p, (t, _) in enumerate(kept) if t.status != "diverged"]
        courses = [c for t, c in kept if c is not None and t.status != "diverged"]
        self._forecast = self._forecast_of(courses, self._library.before(inputs[going]))
        self._sunk = sunk(self._pseudo([kept[p] for p in going], inputs[going]).values)
        seen = self._pseudo(kept, inputs)
        self._mixture = blend(self._library, seen, self._starts[:1])
        mean, width = self._prior(inputs)
        residual = Observed(inputs, (seen.values - mean) / width, seen.noise / width)
        self._residual = fit(residual, self._library.prior, starts=self._starts[1:])
        self._left_out = self._residual.leave_one_out() if kept else (mean, width)
        self._places = {t.id: place for place, (t, _) in enumerate(kept)}
        if len(kept) > 1:
            self._starts = [self._mixture.target.kernel, self._residual.kernel]

    def of_configs(self, configs: Sequence[Config]) -> Belief:
        """Of configurations that were never tried."""
        inputs = self.space.encode(configs)
        mean, width = self._prior(inputs)
        off, deviation = self._residual.predict(inputs)
        return belief(mean + width * off, width * deviation)

    def of_trials(self, trials: Sequence[Trial]) -> Belief:
        """Of trials, given their learning curves so far; a finished one is near what it showed."""
        inputs = self.space.encode([t.config for t in trials])
        mean, width = self._prior(inputs)
        off, deviation = self._others(trials, inputs)
        told = self._pseudo([(t, course(t.curve, self.scale)) for t in trials], inputs)
        precision, own = (width * deviation) ** -2, np.maximum(told.noise, 1e-6) ** -2
        # A clone began elsewhere than its configuration does: it is known by its curve only.
        precision[[t.parent is not None for t in trials]] = 1e-9
        total = precision + own
        middle = (precision * (mean + width * off) + own * told.values) / total
        return belief(middle, np.sqrt(1 / total))

    def believing(self, configs: Sequence[Config]) -> FreezeThaw:
        """A copy that believes these configurations ended where they are expected to."""
        other = copy.copy(self)
        other._residual = self._residual.believing(self.space.encode(configs))
        other._left_out = other._residual.leave_one_out()
        return other

    def draws(self, configs: Sequence[Config], count: int, random: np.random.Generator) -> Array:
        """Joint samples (count, N) of final relative scores."""
        inputs = self.space.encode(configs)
        mean, width = self._prior(inputs)
        values = mean + width * self._residual.draws(inputs, count, random)
        return belief(values, np.zeros_like(values)).mean

    def _prior(self, inputs: Array) -> tuple[Array, Array]:
        mean, width = self._mixture.prior(inputs)
        return mean, np.maximum(width, NARROWEST)

    def _others(self, trials: Sequence[Trial], inputs: Array) -> tuple[Array, Array]:
        """What all other trials say of each trial's residual, its own scatter included."""
        kernel = self._residual.kernel
        mean, deviation = self._residual.predict(inputs)
        variance = deviation**2 + kernel.floor**2
        for place, trial in enumerate(trials):
            row = self._places.get(trial.id)
            if row is not None:
                noise = self._residual.seen.noise[row] ** 2
                mean[place] = self._left_out[0][row]
                variance[place] = max(self._left_out[1][row] ** 2 - noise, kernel.floor**2)
        return mean, np.sqrt(variance)

    def _pseudo(self, trials: Sequence[tuple[Trial, Course | None]], inputs: Array) -> Observed:
        """Final values that curves promise (N,); without a curve the noise has no end."""
        priors = self._library.before(inputs)
        values, noise = np.zeros(len(trials)), np.full(len(trials), np.inf)
        for place, (trial, seen) in enumerate(trials):
            if trial.status == "diverged":
                values[place], noise[place] = self._sunk, SUNK
            elif seen is not None:
                own = own_noise(self.scale, seen.score, self.rows)
                forecast = self._forecast if trial.parent is None else LastValue()
                values[place], noise[place] = forecast.final(seen, float(priors[place]), own)
        return Observed(inputs, values, noise)

    def _forecast_of(self, courses: Sequence[Course], priors: Array) -> Forecast:
        """The curve model, told what this task's own finished curves showed."""
        if not self.curve:
            return LastValue()
        ended = [place for place, c in enumerate(courses) if c.finished]
        noise = [own_noise(self.scale, courses[p].score, self.rows) for p in ended]
        known = Curves(
            tuple(courses[p] for p in ended), priors[ended], float(np.mean(noise or [0.0]))
        )
        if self._pool is not None:
            return self._pool.on_task(known)
        if not ended:
            return PowerLaw() if self._library.models else PowerLaw(UNSEEN[0])
        return AsFinished(known.courses)


def _pool(models: Sequence[PastModel], scores_are_shares: bool) -> PooledCurves | None:
    """The curve model of past tasks with the same kind of scale; fitted once, kept in memory."""
    usable = [m for m in models if m.record.share == scores_are_shares]
    key = tuple(m.key for m in usable)
    if key not in _pools:
        _pools[key] = pooled_curves([_curves(m, usable) for m in usable])
        while len(_pools) > KEPT:
            _pools.popitem(last=False)
    _pools.move_to_end(key)
    return _pools[key]


def _curves(model: PastModel, models: Sequence[PastModel]) -> Curves:
    """A past task's finished curves, and what tasks of other families promised beforehand."""
    found, rows = [], []
    for row, trial in enumerate(model.projected.trials):
        curve = course(trial.curve, model.record.scale)
        if trial.finished and not trial.diverged and curve is not None and curve.finished:
            found.append(curve)
            rows.append(row)
    record = model.record
    others = [m for m in models if m.process is not None and m.record.family != record.family]
    alike = affinities(record.features, [m.record for m in others], record.kind, record.share)
    alike = alike * np.asarray([m.quality for m in others])
    kept = [place for place, weight in enumerate(alike) if weight > 0]
    before = Library(tuple(others[p] for p in kept), alike[kept], 0)
    noise = [own_noise(record.scale, c.score, record.rows) for c in found]
    priors = before.before(model.projected.seen.inputs[rows])
    return Curves(tuple(found), priors, float(np.mean(noise or [0.0])))
