"""Several classifiers as one, and one classifier with its chances adjusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.forms.centred import softmax
from luthier.fewshot.rung import Asked, Fitted

How = Literal["mean", "scaled", "powers"]
TINY = 1e-9
"""No chance is taken as smaller, so that its logarithm stays finite."""


@dataclass(frozen=True, eq=False)
class Blend:
    """The mean of several classifiers.

    `mean` averages chances. `powers` multiplies them, each raised to its weight. `scaled` averages
    logarithms of chances after each member's were brought, text by text, to mean zero and deviation
    one over the classes, so that a hesitant member counts as much as a sure one; the result gets
    the members' mean deviation back.
    `weights` (M,) say how much each member counts.
    """

    members: Sequence[Fitted]
    how: How
    weights: FloatArray

    def probabilities(self, asked: Asked) -> FloatArray:
        """Chances (N, C)."""
        found = [member.probabilities(asked) for member in self.members]
        return joined(found, self.how, self.weights)

    def arrays(self) -> Mapping[str, FloatArray]:
        """The weights, and the members' arrays, each under the member's place."""
        inner = {
            f"{place}/{name}": values
            for place, member in enumerate(self.members)
            for name, values in member.arrays().items()
        }
        return inner | {"weights": self.weights}

    def about(self) -> Mapping[str, Any]:
        """How the members are joined, and what each is."""
        members = [dict(member.about()) for member in self.members]
        return {"form": "blend", "how": self.how, "members": members}


def joined(chances: Sequence[FloatArray], how: How, weights: FloatArray) -> FloatArray:
    """One (N, C) of several."""
    if how == "mean":
        return np.asarray(np.average(chances, axis=0, weights=weights))
    logs = [np.log(np.maximum(each, TINY)) for each in chances]
    if how == "powers":
        return softmax(np.tensordot(weights, logs, 1))
    spreads = [each.std(axis=1, keepdims=True) for each in logs]
    level = [
        (each - each.mean(axis=1, keepdims=True)) / np.maximum(spread, TINY)
        for each, spread in zip(logs, spreads, strict=True)
    ]
    return softmax(np.average(level, axis=0, weights=weights) * np.mean(spreads, axis=0))


@dataclass(frozen=True, eq=False)
class Adjusted:
    """Chances under a temperature, and moved towards other shares of the classes.

    The logarithms are divided by `temperature` and `shift` (C,) is added to them.
    """

    member: Fitted
    temperature: float
    shift: FloatArray

    def probabilities(self, asked: Asked) -> FloatArray:
        """Chances (N, C)."""
        return adjusted(self.member.probabilities(asked), self.temperature, self.shift)

    def arrays(self) -> Mapping[str, FloatArray]:
        """The member's arrays and the shift."""
        inner = {f"0/{name}": values for name, values in self.member.arrays().items()}
        return inner | {"shift": self.shift}

    def about(self) -> Mapping[str, Any]:
        """The temperature, and what is adjusted."""
        member = dict(self.member.about())
        return {"form": "adjusted", "temperature": self.temperature, "members": [member]}


def adjusted(chances: FloatArray, temperature: float, shift: FloatArray) -> FloatArray:
    """Chances (N, C) after temperature and shift (C,)."""
    return softmax(np.log(np.maximum(chances, TINY)) / temperature + shift)
