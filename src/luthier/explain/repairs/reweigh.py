"""Reweighing: groups and labels count as if they were independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.explain.attribution import Ids
from luthier.explain.bias.terms import Lexicon
from luthier.explain.repair import Change, TrainingRows, group_of
from luthier.train.step import Objective


@dataclass(frozen=True)
class Reweigh:
    """A row counts by the chance of its group times that of its label over that of both.

    Source: Kamiran and Calders 2012, "Data Preprocessing Techniques for Classification without
    Discrimination", section 5.3.
    """

    name: str = "reweigh"

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """The factors of the rows; their mean is 1."""
        group, _ = group_of(rows, lexicon)
        table = np.zeros((group.max(initial=0) + 1, rows.labels.max(initial=0) + 1))
        np.add.at(table, (group, rows.labels), 1)
        share = table / table.sum()
        both = share[group, rows.labels]
        return Change(weights=share.sum(1)[group] * share.sum(0)[rows.labels] / both)

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses as they are."""
        return inner
