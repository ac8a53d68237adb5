"""By lot: what every other pick has to beat."""

from __future__ import annotations

from luthier.evaluate.predictions import IntArray
from luthier.fewshot.pick import Candidates


class ByLot:
    """Rows drawn at random."""

    name = "random"
    reads: tuple[str, ...] = ()

    def order(self, candidates: Candidates, count: int) -> IntArray:
        """The first rows of a random order, so that a larger choice holds a smaller one."""
        return candidates.rng("lot").permutation(len(candidates))[:count]
