"""Rows that may belong to classes with few labels."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import IntArray
from luthier.fewshot.queries.margin import unlike
from luthier.fewshot.query import Standing

ENOUGH = 8
"""Labels from which a class is no longer looked for."""


class Rare:
    """For each class with few labels in turn, the rarest first, the row it is likeliest in."""

    name = "rare"

    def ask(self, standing: Standing, count: int) -> IntArray:
        """Fewer than `count` rows where no class lacks labels."""
        lacking = np.flatnonzero(standing.counts < ENOUGH)
        lacking = lacking[np.argsort(standing.counts[lacking], kind="stable")]
        ranked = [
            standing.open[np.argsort(-standing.chances[standing.open, c], kind="stable")]
            for c in lacking.tolist()
        ]
        order = list(dict.fromkeys(np.stack(ranked, axis=1).ravel().tolist())) if ranked else []
        return unlike(standing, np.asarray(order, np.int64), count)
