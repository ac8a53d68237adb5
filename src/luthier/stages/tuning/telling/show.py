"""The search as it goes, for the progress display."""

from __future__ import annotations

from dataclasses import dataclass, field

from luthier.core.progress import Progress
from luthier.search.controller import Controller
from luthier.search.trial import UNITS


@dataclass
class Show:
    """Tells the best score, what was just looked at, and what was frozen and why."""

    progress: Progress
    metric: str
    _shown: int = 0
    _told: set[str] = field(default_factory=set)

    def __call__(self, controller: Controller) -> None:
        """After each slice."""
        done = min(100, int(100 * controller.spent))
        if not self._shown and not self._told:
            self.progress.start(f"searching ({controller.limit})", 100, "%")
        lead = controller.incumbent
        live = sum(1 for t in controller.trials if t.alive)
        note = f"best {self.metric} {lead.curve[-1].score:.4f} ({lead.id})" if lead.curve else ""
        self.progress.advance(max(0, done - self._shown), f"{note}, {live} trials open")
        self._shown = max(done, self._shown)
        for trial in controller.trials:
            mark = f"{trial.id} {trial.status}"
            if mark in self._told or trial.status in ("waiting", "paused"):
                continue
            self._told.add(mark)
            score = f"{trial.curve[-1].score:.4f}" if trial.curve else "-"
            reason = f": {trial.reason}" if trial.reason else ""
            self.progress.say(
                f"{trial.id} from {trial.source}: {trial.status} at {trial.unit}/{UNITS}, "
                f"{self.metric} {score}{reason}"
            )
