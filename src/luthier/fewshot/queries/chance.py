"""Rows drawn by lot: the only ones that tell honestly how good a model is."""

from __future__ import annotations

from luthier.evaluate.predictions import IntArray
from luthier.fewshot.query import Standing


class Chance:
    """Every open row is as likely as any other."""

    name = "random"

    def ask(self, standing: Standing, count: int) -> IntArray:
        """`count` open rows, all of them where there are fewer."""
        return standing.rng(self.name).permutation(standing.open)[:count]
