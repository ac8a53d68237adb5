"""When to look at explanations during a training, so that looking stays a small part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PASSES = 5
"""Passes that weighing the words of a row is counted as; integrated gradients take 3 to 5."""
FEWEST = 3


@dataclass(frozen=True)
class Work:
    """Rows times layers that they pass: of the whole training, and of one look."""

    training: float
    look: float


def work_of(
    steps: int, batch_rows: int, layers: tuple[int, int, int], rows: int, texts: int
) -> Work:
    """The work of a training and of a look at `rows` rows and `texts` changed texts.

    `layers` are those of the network, those a training row runs through, and those whose gradients
    are asked for; backward costs twice a forward.
    """
    whole, run, trained = layers
    return Work(
        float(steps * batch_rows * (run + 2 * trained)), float((rows * PASSES + texts) * whole)
    )


def steps_of(steps: int, work: Work, most: int, share: float) -> tuple[int, ...]:
    """The updates after which to look, evenly spread from 0 to the last; none where three looks
    would be more than the share."""
    count = min(most, int(share * work.training // max(work.look, 1.0)), steps + 1)
    if count < FEWEST:
        return ()
    return tuple(int(s) for s in np.unique(np.linspace(0, steps, count).round()))
