"""Rows drawn by lot: the only ones that tell honestly how good a model is."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import IntArray
from luthier.fewshot.query import Standing


class Chance:
    """The next open rows of an order that was drawn over the whole pool.

    Drawing among the open rows alone would flatter the model: other queries take the hard rows
    out. Here a hard row that has a label already keeps its place in the order, and counts.
    """

    name = "random"

    def ask(self, standing: Standing, count: int) -> IntArray:
        """`count` open rows, all of them where there are fewer."""
        drawn = standing.drawn
        return drawn[np.isin(drawn, standing.open)][:count]
