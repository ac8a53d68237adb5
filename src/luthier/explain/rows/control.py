"""Rows whose label was turned on purpose: a method that does not find them finds no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.explain.attribution import Floats
from luthier.explain.influence import Influence, Traces

POOR = 0.75
"""A lower AUC, and what the method says is shown with a warning."""


@dataclass(frozen=True)
class Control:
    """AUCs of `rows` turned copies among the training rows, 0.5 is chance.

    `alone` by the length of their gradient; `against`, by method, as what speaks against the
    answer of the row that they were copied from.
    """

    rows: int
    alone: float
    against: dict[str, float]

    def warning(self, name: str) -> str:
        """What has to be said where rows are shown by this method; "" when the control passed."""
        if self.rows == 0:
            return "Without a second label no control could be made: these rows were not checked."
        found = self.against[name]
        if found >= POOR:
            return ""
        return (
            f"The control failed: rows whose label was turned on purpose rank against the answer "
            f"with an AUC of {found:.2f} (0.5 is chance, {POOR} is needed). Do not rely on these "
            "rows."
        )


def measure_control(
    rows: Traces, turned: Traces, origin: NDArray[np.int64], methods: Sequence[Influence]
) -> Control:
    """What each method makes of `turned` copies of the rows at `origin`."""
    if not len(turned):
        return Control(0, float("nan"), {})
    alone = auc(lengths(turned.gradients), lengths(rows.gradients))
    against = {}
    for method in methods:
        asked = rows.take(origin)
        theirs = method.scores(rows, asked)
        mine = np.diagonal(method.scores(Traces(
            np.concatenate([rows.gradients, turned.gradients]),
            np.concatenate([rows.losses, turned.losses]),
            np.concatenate([rows.vectors, turned.vectors]),
        ), asked)[:, len(rows):])  # fmt: skip
        ranks = [auc(-mine[[i]], -np.delete(theirs[i], place)) for i, place in enumerate(origin)]
        against[method.name] = float(np.mean(ranks))
    return Control(len(turned), alone, against)


def lengths(gradients: NDArray[np.float32]) -> Floats:
    """The length of each gradient (N,): how far a row would move the model by itself.

    Source: Pruthi et al. 2020, "Estimating Training Data Influence by Tracing Gradient Descent",
    section 4.1 (self-influence).
    """
    return np.asarray(np.linalg.norm(gradients.astype(np.float64), axis=1))


def auc(above: Floats, below: Floats) -> float:
    """The chance that one of `above` is larger than one of `below`; equal ones count half."""
    order = np.sort(below)
    smaller = np.searchsorted(order, above, "left") + np.searchsorted(order, above, "right")
    return float(np.mean(smaller) / (2 * len(below)))
