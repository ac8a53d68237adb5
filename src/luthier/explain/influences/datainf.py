"""Influence with a closed form for the inverse curvature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.explain.attribution import Floats
from luthier.explain.influence import Traces

DAMPING = 0.1
"""Share of the mean squared gradient that is added to the curvature; the paper's."""
BLOCK = 256


@dataclass(frozen=True)
class DataInf:
    """How removing a row would move the loss of an answer, were the loss quadratic.

    The inverse of the damped mean of g g^T is taken to be the mean of the inverses. Here all
    layers are one block, as sketches mix them.

    Source: Kwon et al. 2024, "DataInf: Efficiently Estimating Data Influence in LoRA-tuned LLMs
    and Diffusion Models", equation 5.
    """

    name: str = "datainf"

    def scores(self, rows: Traces, answers: Traces) -> Floats:
        """Nats times a constant (Q, N)."""
        known, asked = rows.gradients.astype(np.float64), answers.gradients.astype(np.float64)
        squares = (known**2).sum(1)
        damping = DAMPING * squares.mean()
        if damping == 0:
            return np.zeros((len(asked), len(known)))
        bent = np.zeros_like(asked)
        for start in range(0, len(known), BLOCK):
            part = known[start : start + BLOCK]
            weight = 1 / (damping + squares[start : start + BLOCK])
            bent += ((asked @ part.T) * weight) @ part
        bent = (asked - bent / len(known)) / damping
        return np.asarray(bent @ known.T)
