"""Rows that pull the model where the validation rows pull it."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import IntArray
from luthier.fewshot.pick import Candidates


class ByGradient:
    """Those whose gradient agrees most with the validation rows' mean direction.

    Source: Xia et al. 2024, "LESS: Selecting Influential Data for Targeted Instruction Tuning",
    section 4, with one target.
    """

    name = "gradient"
    reads: tuple[str, ...] = ("gradients",)

    def order(self, candidates: Candidates, count: int) -> IntArray:
        """From the highest cosine on."""
        return np.argsort(-candidates.agreement, kind="stable")[:count]
