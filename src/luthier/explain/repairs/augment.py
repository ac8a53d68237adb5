"""Counterfactual augmentation: rows are also learnt with the word of a group exchanged."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.explain.attribution import Ids
from luthier.explain.bias.terms import Lexicon
from luthier.explain.repair import Change, TrainingRows
from luthier.explain.repairs.variants import exchanged, need
from luthier.train.step import Objective


@dataclass(frozen=True)
class Augment:
    """Copies of every row that names a group, each with another word in its place.

    Source: Lu et al. 2018, "Gender Bias in Neural Natural Language Processing", section 4.
    """

    copies: int = 1
    name: str = "augment"

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """The copies."""
        return Change(copies=need(exchanged(rows, lexicon, self.copies, seed)))

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses as they are."""
        return inner
