"""A run in a process of its own that is killed at a chosen moment: `stage_child.py HOME MOMENT`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from luthier.core.progress import Silence
from luthier.search.trial import Observation
from luthier.stages import api
from luthier.stages.parts import keeping
from luthier.stages.tuning import shared
from luthier.store.store import Store


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DieTraining(Silence):
    """Kills the process at the second update."""

    def __init__(self) -> None:
        self._training, self._seen = False, 0

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Notes when training begins."""
        self._training = name == "training"

    def advance(self, units: int = 1, note: str = "") -> None:
        """Counts updates."""
        self._seen += self._training
        if self._seen == 2:
            _die()


def die_searching(slices: int) -> None:
    """Kills the process in the slice after so many: it is trained, and nothing of it is kept."""
    train_on, seen = shared.train_on, 0

    def counted(*given: Any) -> Observation:
        nonlocal seen
        found = train_on(*given)
        if seen == slices:
            _die()
        seen += 1
        return found

    shared.train_on = counted  # type: ignore[assignment]


if __name__ == "__main__":
    home, moment = sys.argv[1:]
    listener = Silence()
    if moment == "training":
        listener = DieTraining()
    elif moment.startswith("searching"):
        die_searching(int(moment.removeprefix("searching")))
    else:
        keeping.save_facts = _die
    api.run(Path("recipe.json"), progress=listener, store=Store.open(folder=Path(home)))
