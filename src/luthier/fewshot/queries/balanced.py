"""Rows the present model can't decide on, taken in turn from the classes it puts them in."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import IntArray
from luthier.fewshot.queries.margin import unlike
from luthier.fewshot.query import Standing


class Balanced:
    """Smallest margin within each answered class; a class with fewer labels has its turn earlier.

    Plain margin spends most labels on the border of large classes. Here the first row of a class
    with k labels comes as the (k + 1)-th of every other class would.
    """

    name = "balanced"

    def ask(self, standing: Standing, count: int) -> IntArray:
        """Doubtful rows of every class."""
        open_ = standing.open
        order = open_[np.argsort(standing.margin[open_], kind="stable")]
        answered = standing.chances[order].argmax(axis=1)
        turn = np.empty(len(order), np.int64)
        for number, labels in enumerate(standing.counts.tolist()):
            inside = np.flatnonzero(answered == number)
            turn[inside] = labels + np.arange(len(inside))
        return unlike(standing, order[np.argsort(turn, kind="stable")], count)
