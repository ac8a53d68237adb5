"""Rows the present model can't decide on, none like another."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import IntArray
from luthier.fewshot.query import Standing

ALIKE = 0.95
"""Cosine from which two rows say the same: labelling both would teach one thing twice."""


class Margin:
    """Smallest lead of the likeliest class over the next, near copies left out.

    Source: Scheffer et al. 2001, "Active Hidden Markov Models for Information Extraction".
    """

    name = "margin"

    def ask(self, standing: Standing, count: int) -> IntArray:
        """The `count` most doubtful rows."""
        order = standing.open[np.argsort(standing.margin[standing.open], kind="stable")]
        return unlike(standing, order, count)


def unlike(standing: Standing, order: IntArray, count: int) -> IntArray:
    """The first `count` of `order` of which no two are near copies; copies where nothing else is
    left."""
    chosen: list[int] = []
    copies: list[int] = []
    kept = np.empty((min(count, len(order)), standing.unit.shape[1]), np.float32)
    for row in order.tolist():
        if len(chosen) == count:
            break
        vector = standing.unit[row]
        if chosen and float((kept[: len(chosen)] @ vector).max()) > ALIKE:
            copies.append(row)
            continue
        kept[len(chosen)] = vector
        chosen.append(row)
    return np.asarray((chosen + copies)[:count], np.int64)
