"""The angle between the gradients of a row and of an answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.explain.attribution import Floats
from luthier.explain.influence import Traces


@dataclass(frozen=True)
class GradientCosine:
    """Cosine of the gradient of a row's loss with that of the answer's, from -1 to 1.

    The lengths of gradients are left out, as rows that are hard to learn would else stand first
    for every answer.

    Source: Pruthi et al. 2020, "Estimating Training Data Influence by Tracing Gradient Descent",
    section 3, with the angle in place of the product; Hammoudeh and Lowd 2022, "Identifying a
    Training-Set Attack's Target Using Renormalized Influence Estimation", section 4.
    """

    name: str = "cosine"

    def scores(self, rows: Traces, answers: Traces) -> Floats:
        """Cosines (Q, N)."""
        return directions(answers.gradients) @ directions(rows.gradients).T


def directions(values: NDArray[np.float32]) -> Floats:
    """Rows of length 1; one of length 0 stays as it is."""
    wide = values.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0))
