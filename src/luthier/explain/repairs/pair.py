"""Counterfactual logit pairing: a row and the same row about another person get equal scores."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.explain.attribution import Ids
from luthier.explain.bias.terms import Lexicon
from luthier.explain.objectives.pairing import Pairing
from luthier.explain.repair import Change, TrainingRows
from luthier.explain.repairs.variants import exchanged, mentioned, need
from luthier.train.step import Objective

EACH = 2


@dataclass(frozen=True)
class PairLogits:
    """Rows that name a group are paired with an exchanged word, the others with a mention.

    Source: Garg et al. 2019, "Counterfactual Fairness in Text Classification through Robustness",
    section 4.3; the squared distance here is that of the logits' differences.
    """

    strength: float = 1.0
    name: str = "pair"

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """Two partners for every row that has any."""
        found = [*exchanged(rows, lexicon, EACH, seed), *mentioned(rows, lexicon, EACH, seed)]
        return Change(partners=need(found))

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses and the distance of partners."""
        return Pairing(inner, self.strength)
