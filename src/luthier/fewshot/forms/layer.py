"""The output layer of a trained network as a form, so that it can be blended with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.forms.centred import softmax
from luthier.fewshot.rung import Asked


@dataclass(frozen=True, eq=False)
class Layer:
    """Softmax of W v + b of a text's vector v (D,); `weights` are (C, D), `bias` (C,)."""

    weights: FloatArray
    bias: FloatArray

    def probabilities(self, asked: Asked) -> FloatArray:
        """Chances (N, C)."""
        return softmax(np.asarray(asked.vectors @ self.weights.T) + self.bias)

    def arrays(self) -> Mapping[str, FloatArray]:
        """Weights and bias."""
        return {"weights": self.weights, "bias": self.bias}

    def about(self) -> Mapping[str, Any]:
        """Its kind."""
        return {"form": "layer"}

    @classmethod
    def read(cls, about: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> Layer:
        """What was written."""
        return cls(arrays["weights"], arrays["bias"])
