"""A task of the past as the search reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from luthier.search.scale import Scale
from luthier.search.trial import UNITS, Config


@dataclass(frozen=True)
class PastPoint:
    """A point of a past learning curve; fields as in `Observation`."""

    unit: int
    score: float
    loss: float
    train_loss: float
    cost: float


@dataclass(frozen=True)
class PastTrial:
    """A configuration that was tried; a diverged one has the curve it had until then."""

    config: Config
    curve: tuple[PastPoint, ...]
    source: str = ""
    seed: int = 0
    diverged: bool = False

    @property
    def finished(self) -> bool:
        """Whether it was trained to the end."""
        return bool(self.curve) and self.curve[-1].unit == UNITS

    @property
    def final(self) -> float | None:
        """Its last score, None when it was not trained to the end."""
        return self.curve[-1].score if self.finished else None


@dataclass(frozen=True)
class TaskRecord:
    """A task and its trials.

    `family` is the data set it comes from, masked as a whole in measurements. `kind` is the task's
    name (`classify`, ...), `base` the base model's hash. `tenant` owns it; a `private` record is
    never read for another task.
    """

    id: str
    family: str
    kind: str
    base: str
    metric: str
    share: bool
    direction: Literal["higher", "lower"]
    anchor: float
    features: Mapping[str, float]
    trials: tuple[PastTrial, ...]
    rows: int = 0
    tenant: str = ""
    private: bool = False
    origin: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def scale(self) -> Scale:
        """The scale on which its scores are compared with other tasks."""
        return Scale(self.share, self.direction, self.anchor)
