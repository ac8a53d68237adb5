"""Tells a person how far training is."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.core.progress import Progress
from luthier.train.state import TrainingState
from luthier.train.watcher import Report


@dataclass
class ShowProgress:
    """Reports each update with a smoothed loss."""

    progress: Progress
    steps: int
    _smooth: float | None = None

    def begin(self, state: TrainingState) -> None:
        """Starts the display where the state stands."""
        self.progress.start("training", self.steps, "updates")
        if state.step:
            self.progress.advance(state.step, "resumed")

    def after(self, state: TrainingState, report: Report) -> None:
        """One more update."""
        loss = report.gradient.loss
        if loss is None:
            self.progress.advance(1, "private")
            return
        self._smooth = loss if self._smooth is None else 0.9 * self._smooth + 0.1 * loss
        self.progress.advance(1, f"loss {self._smooth:.4f}")

    def end(self, state: TrainingState) -> None:
        """Nothing to tidy."""
