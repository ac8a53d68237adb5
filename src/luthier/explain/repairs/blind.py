"""Blinding, a control: words that name groups are masked in training and for every answer."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.explain.attribution import Ids
from luthier.explain.bias.terms import Lexicon
from luthier.explain.repair import Change, TrainingRows
from luthier.train.step import Objective


@dataclass(frozen=True)
class Blind:
    """Rows and losses as they are; the prompt contract masks the words before any is read, also
    those that a repair is judged by. It shows what is won and lost without them."""

    name: str = "blind"

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """None."""
        return Change()

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses as they are."""
        return inner
