"""Watchers see every update and may say stop; they never change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from luthier.train.state import TrainingState
from luthier.train.step import Gradient


@dataclass(frozen=True)
class Report:
    """One finished update: its gradient, the norm before clipping, and its seconds."""

    gradient: Gradient
    norm: float
    seconds: float


@dataclass(frozen=True)
class Stop:
    """A watcher's wish to end here, and why."""

    reason: str


class Watcher(Protocol):
    """Is told of the beginning, of each update and of the end."""

    def begin(self, state: TrainingState) -> None:
        """Before the first update of this call."""

    def after(self, state: TrainingState, report: Report) -> Stop | None:
        """After an update; returns `Stop` to end, None to go on."""

    def end(self, state: TrainingState) -> None:
        """After the last update of this call, also when it ends early."""
