"""What a search is made of: configurations, trials, slices of work and what they showed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Value: TypeAlias = float | int | str
Config: TypeAlias = Mapping[str, Value]
"""A value for every parameter of a space."""

UNITS = 16
"""An ordinary run has so many units; a trial is advanced in whole units."""

DECISIONS = (1, 2, 4, 8, 16)
"""Units after which a trial is looked at."""

TRAINED = "units_trained"
"""Measure of a trial that ended before the last unit, where an ordinary run loses patience."""

Status: TypeAlias = Literal["waiting", "paused", "frozen", "finished", "diverged", "failed"]


@dataclass(frozen=True, eq=False)
class Observation:
    """A point of a learning curve, after `unit` units.

    `score` is the wanted metric on the first half of the validation rows, in the metric's own
    direction; `loss` their mean loss in nats, `train_loss` the mean training loss since the point
    before. `cost` is in processor seconds of the whole trial so far. `measures` holds what
    constraints and further objectives ask for. `losses` and `right` (N,) belong to the single
    validation rows, always the same ones; `right` is None where an answer is not right or wrong.
    """

    unit: int
    score: float
    loss: float
    train_loss: float
    cost: float
    measures: Mapping[str, float] = field(default_factory=dict)
    losses: NDArray[np.float32] | None = None
    right: NDArray[np.bool_] | None = None

    @property
    def ended_early(self) -> str:
        """Words for a trial that ended before its last unit, else none."""
        units = self.measures.get(TRAINED)
        return "" if units is None else f"as good as it gets: trained {units:g} of {UNITS} parts"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, without what belongs to single rows."""
        return {
            "unit": self.unit,
            "score": self.score,
            "loss": self.loss,
            "train_loss": self.train_loss,
            "cost": self.cost,
            "measures": dict(self.measures),
        }


@dataclass
class Trial:
    """A configuration, where it came from, and its learning curve so far.

    `seed` sets initial values and dropout; the order of the data is the same for all trials.
    `parent` names the trial whose parameters it began with.
    """

    id: str
    config: Config
    source: str
    seed: int = 0
    parent: str | None = None
    curve: list[Observation] = field(default_factory=list)
    status: Status = "waiting"
    reason: str = ""

    @property
    def unit(self) -> int:
        """How far it came."""
        return self.curve[-1].unit if self.curve else 0

    @property
    def cost(self) -> float:
        """Processor seconds spent on it."""
        return self.curve[-1].cost if self.curve else 0.0

    @property
    def alive(self) -> bool:
        """Whether it may be advanced further."""
        return self.status in ("waiting", "paused", "frozen") and self.unit < UNITS

    def saw(self, seen: Observation) -> None:
        """Takes in one more point of its curve."""
        self.curve.append(seen)
        self.status = "finished" if self.unit >= UNITS else "paused"
        self.reason = seen.ended_early


@dataclass(frozen=True)
class Slice:
    """A piece of work: advance a trial up to `until` units."""

    trial: str
    config: Config
    until: int
    seed: int = 0
    parent: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a slice showed. `fault` says why it ended early; `diverged` that the trial itself is to
    blame, so that trying it again is useless."""

    trial: str
    observation: Observation | None
    fault: str = ""
    diverged: bool = False

    def checked(self) -> Outcome:
        """The same; when score or loss is no number, as a trial that diverged."""
        seen = self.observation
        if seen is None or (math.isfinite(seen.score) and math.isfinite(seen.loss)):
            return self
        why = f"after unit {seen.unit} its score is {seen.score:.4g}, its loss {seen.loss:.4g}"
        return Outcome(self.trial, None, why, diverged=True)


class Executor(Protocol):
    """Advances trials somewhere; slices of one trial are never under way at the same time."""

    @property
    def width(self) -> int:
        """How many slices it works on at once."""

    def submit(self, piece: Slice) -> None:
        """Begins a slice; returns at once."""

    def collect(self) -> Outcome:
        """The next finished slice; waits for it. A worker that died gives a fault, not an error."""

    def close(self) -> None:
        """Ends the workers; trials stay where their last slice left them."""


def next_slice(trial: Trial, first: int = 0) -> Slice:
    """Up to a trial's next decision point; of a new one at least `first` units."""
    until = max(next_look(trial.unit), first)
    return Slice(trial.id, trial.config, until, trial.seed, trial.parent)


def next_look(unit: int) -> int:
    """The next decision point after so many units."""
    return next((u for u in DECISIONS if u > unit), UNITS)
