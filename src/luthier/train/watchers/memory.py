"""Keeps the process as small as what it uses."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.core.memory import give_back
from luthier.train.state import TrainingState
from luthier.train.watcher import Report


@dataclass
class GiveBack:
    """Freed memory goes back to the system after every so many updates."""

    every: int = 16

    def begin(self, state: TrainingState) -> None:
        """What setting up left behind."""
        give_back()

    def after(self, state: TrainingState, report: Report) -> None:
        """What the last updates left behind."""
        if state.step % self.every == 0:
            give_back()

    def end(self, state: TrainingState) -> None:
        """What training left behind."""
        give_back()
