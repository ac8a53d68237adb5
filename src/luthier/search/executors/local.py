"""One slice at a time, in this process, on the one resident base."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from luthier.core.errors import CheckRun, LowerLearningRate
from luthier.search.trial import Observation, Outcome, Slice

Advance = Callable[[Slice], Observation]


@dataclass
class Local:
    """Calls `advance` for each slice when it is collected, in order of submission."""

    advance: Advance
    width: int = 1
    _waiting: deque[Slice] = field(default_factory=deque)

    def submit(self, piece: Slice) -> None:
        """Queues a slice."""
        self._waiting.append(piece)

    def collect(self) -> Outcome:
        """Advances the oldest slice. Divergence is told as an outcome; other errors are raised.

        Raises: CheckRun when nothing was submitted.
        """
        if not self._waiting:
            raise CheckRun("executor", "nothing was submitted")
        piece = self._waiting.popleft()
        try:
            return Outcome(piece.trial, self.advance(piece))
        except LowerLearningRate as error:
            return Outcome(piece.trial, None, str(error), diverged=True)

    def close(self) -> None:
        """Forgets what waits."""
        self._waiting.clear()
