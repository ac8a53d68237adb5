"""Saves the state now and then, and when a person interrupts."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from luthier.train.state import TrainingState
from luthier.train.watcher import Report, Stop

INTERRUPTED = "interrupted"


@dataclass
class KeepState:
    """A checkpoint every `seconds`, at the end, and at Ctrl-C or SIGTERM.

    The first signal asks for an orderly stop after the present update; a second one is left to
    the previous handler.
    """

    folder: Path
    contract: str = ""
    seconds: float = 60.0
    _last: float = 0.0
    _asked: bool = False
    _previous: dict[int, object] = field(default_factory=dict)

    def begin(self, state: TrainingState) -> None:
        """Listens for signals; only the main thread may."""
        self._last = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._ask)

    def after(self, state: TrainingState, report: Report) -> Stop | None:
        """Saves when it is time; stops when asked."""
        # Signals and clocks differ between processes, and all have to do the same.
        due = time.monotonic() - self._last >= self.seconds
        wish = state.world.largest(2.0 if self._asked else float(due))
        if wish == 2.0:
            return Stop(INTERRUPTED)
        if wish:
            state.save(self.folder, self.contract)
            self._last = time.monotonic()
        return None

    def end(self, state: TrainingState) -> None:
        """Saves and stops listening."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous.clear()
        state.save(self.folder, self.contract)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(number, self._previous[number])  # type: ignore[arg-type]
