"""Group-robust training: the group that is answered worst counts most."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from luthier.explain.attribution import Ids
from luthier.explain.bias.terms import Lexicon
from luthier.explain.objectives.worst import WorstGroup
from luthier.explain.repair import Change, TrainingRows, group_of
from luthier.train.step import Objective


@dataclass(frozen=True)
class Robust:
    """Groups are the axes that rows name, by label."""

    pull: float = 1.0
    name: str = "robust"

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """The numbers of the groups."""
        group, _ = group_of(rows, lexicon)
        return Change(groups=group * (int(rows.labels.max(initial=0)) + 1) + rows.labels)

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses, the worst group's first."""
        assert groups is not None
        return WorstGroup(inner, torch.from_numpy(groups), self.pull)
