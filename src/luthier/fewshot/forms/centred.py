"""Linear scores of unit vectors around a centre: the form of every rung that reads vectors only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.regression import regress
from luthier.fewshot.rung import Asked


@dataclass(frozen=True, eq=False)
class Centred:
    """Softmax of W z + b, where z is the text's vector minus `centre` (D,), at length one.

    `weights` are (C, D), `bias` (C,).
    """

    centre: FloatArray
    weights: FloatArray
    bias: FloatArray

    @classmethod
    def fit(
        cls, centre: FloatArray, asked: FloatArray, truth: IntArray, counts: FloatArray,
        classes: int, strength: float,
    ) -> Centred:  # fmt: skip
        """Multinomial logistic regression on vectors (N, D) with row weights `counts` (N,)."""
        weights, bias = regress(around(centre, asked), truth, counts, classes, strength)
        return cls(centre, weights, bias)

    def probabilities(self, asked: Asked) -> FloatArray:
        """Chances (N, C)."""
        return softmax(around(self.centre, asked.vectors) @ self.weights.T + self.bias)

    def arrays(self) -> Mapping[str, FloatArray]:
        """Centre, weights and bias."""
        return {"centre": self.centre, "weights": self.weights, "bias": self.bias}

    def about(self) -> Mapping[str, Any]:
        """Its kind."""
        return {"form": "centred"}

    @classmethod
    def read(cls, about: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> Centred:
        """What was written."""
        return cls(arrays["centre"], arrays["weights"], arrays["bias"])


def around(centre: FloatArray, vectors: FloatArray) -> FloatArray:
    """Vectors (N, D) seen from `centre`, each at length one; a vector at the centre stays zero."""
    moved = vectors - centre
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.where(lengths > 0, lengths, 1.0))


def softmax(scores: FloatArray) -> FloatArray:
    """Chances (N, C) of scores (N, C).

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
