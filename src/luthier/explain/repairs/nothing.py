"""No repair at all: what training on alone does, which a gate must not take for a repair."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.explain.attribution import Ids
from luthier.explain.bias.terms import Lexicon
from luthier.explain.repair import Change, TrainingRows
from luthier.train.step import Objective


@dataclass(frozen=True)
class Nothing:
    """The rows and the losses as they are."""

    name: str = "none"

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """None."""
        return Change()

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses as they are."""
        return inner
