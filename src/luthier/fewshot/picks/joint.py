"""Good rows that stand for all the others: what most data deserve."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import IntArray
from luthier.fewshot.pick import Candidates, ranks
from luthier.fewshot.picks.diverse import covering

KEPT = 0.5
"""Share of the rows, the best, among which coverage chooses."""


class Joint:
    """The better half by gradient agreement and by loss, and of it the rows that cover all.

    A row is good where its gradient agrees with the validation rows' and where a model that has
    seen a little of the data finds its answer likely: both ranks count alike. Without validation
    rows the loss alone decides.

    Source: Liu et al. 2024, "What Makes Good Data for Alignment?", section 3 (quality before
    diversity); Xia et al. 2024, "LESS", section 4 (gradients).
    """

    name = "joint"
    reads: tuple[str, ...] = ("vectors", "gradients", "losses")

    def order(self, candidates: Candidates, count: int) -> IntArray:
        """More rows than the better half holds are taken from the next best on."""
        score = ranks(candidates.agreement) - ranks(candidates.losses)
        kept = min(len(score), max(count, int(np.ceil(KEPT * len(score)))))
        good = np.argsort(-score, kind="stable")[:kept]
        bonus = np.zeros(len(good))
        return good[covering(candidates.near[good], bonus, count, candidates.rng(self.name))]
