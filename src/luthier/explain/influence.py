"""How far each training row moved an answer: a score for each pair of row and answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from luthier.explain.attribution import Floats


@dataclass(frozen=True)
class Traces:
    """What single texts leave in a trained model.

    `gradients` are sketches (N, K) of the gradient of each one's loss, `losses` (N,) those losses
    in nats, `vectors` (N, D) what the untouched base makes of each text.
    """

    gradients: NDArray[np.float32]
    losses: Floats
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.losses)

    def take(self, places: NDArray[np.int64]) -> Traces:
        """Those at `places`."""
        return Traces(self.gradients[places], self.losses[places], self.vectors[places])


class Influence(Protocol):
    """A way to say which rows an answer was learned from."""

    @property
    def name(self) -> str:
        """What the method is called."""

    def scores(self, rows: Traces, answers: Traces) -> Floats:
        """One score for each answer and row (Q, N): positive where learning the row makes the
        answer likelier, negative where it speaks against it. 0 where nothing can be said."""
