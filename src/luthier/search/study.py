"""What a search writes down, so that it can be resumed, explained and judged afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from luthier.search.trial import Observation, Trial

Action: TypeAlias = Literal[
    "begin", "advance", "thaw", "freeze", "diverged", "failed", "stop", "end"
]


@dataclass(frozen=True)
class Decision:
    """One decision, with the chance it had: what an off-policy estimate needs.

    `arm` is the source of a new trial, empty otherwise. `propensity` is the probability with which
    the controller chose this arm. `gain` is the rise of the incumbent's lower belief in relative
    units, `cost` the processor seconds spent; both are known when the slice is back.
    """

    number: int
    action: Action
    arm: str
    trial: str
    propensity: float
    why: str
    features: Mapping[str, float] = field(default_factory=dict)
    gain: float = 0.0
    cost: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "features": dict(self.features)}


class StudyLog(Protocol):
    """Where a search writes; each call is durable when it returns."""

    def began(self, trial: Trial) -> None:
        """A new trial."""

    def saw(self, trial: Trial, observation: Observation) -> None:
        """A new point of a trial's curve."""

    def changed(self, trial: Trial) -> None:
        """A trial's status or reason."""

    def decided(self, decision: Decision) -> None:
        """A decision and what came of it."""

    def trials(self) -> list[Trial]:
        """All trials with their curves, in the order in which they began."""

    def decisions(self) -> list[Decision]:
        """All decisions in order."""


class MemoryLog:
    """A log that lives as long as its process: for simulations."""

    def __init__(self) -> None:
        self._trials: list[Trial] = []
        self._decisions: list[Decision] = []

    def began(self, trial: Trial) -> None:
        """A new trial."""
        self._trials.append(trial)

    def saw(self, trial: Trial, observation: Observation) -> None:
        """Nothing to do: the trial itself holds the point."""

    def changed(self, trial: Trial) -> None:
        """Nothing to do: the trial itself holds it."""

    def decided(self, decision: Decision) -> None:
        """A decision."""
        self._decisions.append(decision)

    def trials(self) -> list[Trial]:
        """All trials."""
        return list(self._trials)

    def decisions(self) -> list[Decision]:
        """All decisions."""
        return list(self._decisions)
