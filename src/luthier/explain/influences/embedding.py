"""A control that knows nothing of what was learned."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.explain.attribution import Floats
from luthier.explain.influence import Traces
from luthier.explain.influences.cosine import directions


@dataclass(frozen=True)
class EmbeddingSimilarity:
    """Cosine of what the untouched base makes of both texts, their mean over rows taken off.

    It sees neither labels nor training. A method that ranks no better tells nothing about what
    the model learned.
    """

    name: str = "embedding"

    def scores(self, rows: Traces, answers: Traces) -> Floats:
        """Cosines (Q, N)."""
        middle = rows.vectors.mean(0, keepdims=True)
        return directions(answers.vectors - middle) @ directions(rows.vectors - middle).T
