"""A past task as the search uses it: its trials in the present space, and a process over them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from luthier.core.hashing import hash_value
from luthier.search.history.record import PastTrial, TaskRecord
from luthier.search.models.fitting import fit, location
from luthier.search.models.gp import GaussianProcess, Observed
from luthier.search.models.matern import KernelPrior
from luthier.search.models.values import SOFT, own_noise, soften, sunk
from luthier.search.parameter import Parameter, Range
from luthier.search.space import Space
from luthier.search.trial import UNITS, Config, Value

Array = NDArray[np.float64]

MOST = 96
"""Trials of a past task in its process; of more, the best third and a spread of the rest."""

FEWEST = 4
"""Trials below which a past task has no process."""

EARLIEST, UNFINISHED = UNITS // 4, 0.3
"""An unfinished past trial counts from this unit on, with this deviation added to its noise."""

KEPT = 256
_models: OrderedDict[str, PastModel] = OrderedDict()


@dataclass(frozen=True, eq=False)
class Projected:
    """Trials of a past task that can be read in the present space, with modelled values.

    `trials` are those that were kept, in order; `skipped` counts those that could not be read.
    """

    trials: tuple[PastTrial, ...]
    seen: Observed
    skipped: int


@dataclass(frozen=True, eq=False)
class PastModel:
    """A past task: its trials, the process over them (None when they are too few).

    `quality` in [0, 1] says how well the process ranks trials that it has not seen: 0 is no better
    than chance, and such a task has nothing to hand on.
    """

    key: str
    record: TaskRecord
    projected: Projected
    process: GaussianProcess | None
    quality: float


def past_model(record: TaskRecord, space: Space) -> PastModel:
    """The model of a past task; fitted once and kept in memory.

    The key covers the trials' values, so that a changed record is never answered by an old model.
    """
    projected = project(record, space)
    content = hash_value([projected.seen.inputs.tolist(), projected.seen.values.tolist()])
    key = f"{record.id}:{len(record.trials)}:{space.hash}:{content}"
    if key not in _models:
        process, quality = _process(projected.seen, space.width)
        _models[key] = PastModel(key, record, projected, process, quality)
        while len(_models) > KEPT:
            _models.popitem(last=False)
    _models.move_to_end(key)
    return _models[key]


def _process(seen: Observed, width: int) -> tuple[GaussianProcess | None, float]:
    if len(seen) < FEWEST:
        return None, 0.0
    kept = _chosen(seen.values)
    part = Observed(seen.inputs[kept], seen.values[kept], seen.noise[kept])
    process = fit(part, KernelPrior.of_width(width), *location(part.values, part.noise))
    return process, quality_of(process)


def quality_of(process: GaussianProcess) -> float:
    """Rank correlation of left-out values with the truth, above what chance would give."""
    mean, _ = process.leave_one_out()
    if np.ptp(mean) == 0 or np.ptp(process.seen.values) == 0:
        return 0.0
    chance = 1 / math.sqrt(len(mean))
    found = float(spearmanr(mean, process.seen.values).statistic)
    return max(0.0, (found - chance) / (1 - chance))


def _chosen(values: Array) -> NDArray[np.int64]:
    order = np.argsort(-values, kind="stable")
    if len(order) <= MOST:
        return np.sort(order)
    best, rest = order[: MOST // 3], order[MOST // 3 :]
    places = np.linspace(0, len(rest) - 1, MOST - len(best)).round().astype(int)
    return np.sort(np.concatenate([best, rest[places]]))


def project(record: TaskRecord, space: Space) -> Projected:
    """The record's trials in the present space.

    A parameter that a trial lacks gets the present default, and so does one that all trials of the
    task share, as none of them tells what another value would do; a number outside a range gets its
    nearest end, one between options the nearest option; parameters that the space lacks are left
    out.
    A trial is skipped, and counted, when a value cannot be read so (an unknown word), or when it
    shows nothing: no finite score, or stopped before a quarter of training without diverging. All
    are skipped when the record's anchor is not finite.
    """
    configs, trials = [], []
    for trial in _varied(record.trials) if math.isfinite(record.anchor) else ():
        config = fitted(trial.config, space)
        if config is not None and (trial.diverged or _last(trial) is not None):
            configs.append(config)
            trials.append(trial)
    values, noise = _values(record, trials)
    seen = Observed(space.encode(configs), values, noise)
    return Projected(tuple(trials), seen, len(record.trials) - len(trials))


def _varied(trials: Sequence[PastTrial]) -> list[PastTrial]:
    """The trials without the parameters in which none of them differs."""
    if len(trials) < FEWEST:
        return list(trials)
    seen: dict[str, set[Value | None]] = {}
    for name in {name for trial in trials for name in trial.config}:
        seen[name] = {trial.config.get(name) for trial in trials}
    return [
        replace(t, config={n: v for n, v in t.config.items() if len(seen[n]) > 1}) for t in trials
    ]


def fitted(config: Config, space: Space) -> Config | None:
    """A past configuration in the present space; None when a value cannot be read."""
    found: dict[str, Value] = {}
    for parameter in space.parameters:
        value = _fitted(parameter, config.get(parameter.name, parameter.default))
        if value is None:
            return None
        found[parameter.name] = value
    return found


def _fitted(parameter: Parameter, value: Value) -> Value | None:
    if parameter.holds(value):
        return value
    if isinstance(value, str) or not math.isfinite(value):
        return None
    if isinstance(parameter, Range):
        return min(parameter.high, max(parameter.low, float(value)))
    numbers = [o for o in parameter.options if not isinstance(o, str)]
    if not numbers or not parameter.ordered:
        return None
    log = value > 0 and min(numbers) > 0
    return min(numbers, key=lambda o: abs(math.log(o / value)) if log else abs(o - value))


def _last(trial: PastTrial) -> tuple[int, float] | None:
    found = [(p.unit, p.score) for p in trial.curve if math.isfinite(p.score)]
    return found[-1] if found and found[-1][0] >= EARLIEST else None


def _values(record: TaskRecord, trials: list[PastTrial]) -> tuple[Array, Array]:
    last = [None if t.diverged else _last(t) for t in trials]
    scores = np.asarray([math.nan if point is None else point[1] for point in last])
    values = soften(record.scale.relative(scores))
    lost = np.isnan(values)
    values[lost] = sunk(values[~lost])
    noise = np.full(len(trials), SOFT / 5)
    for place, point in enumerate(last):
        if point is not None:
            extra = 0.0 if point[0] == UNITS else UNFINISHED
            noise[place] = math.hypot(own_noise(record.scale, point[1], record.rows), extra)
    return values, noise
