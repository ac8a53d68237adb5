"""Chances of classes from what a model that writes says of their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun
from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.forms.centred import softmax
from luthier.fewshot.rung import Asked


@dataclass(frozen=True, eq=False)
class Worded:
    """Softmax of log-likelihoods less `habit` (C,), what texts that say nothing get.

    `way` is 0 for names after the text, 1 for the text after names.
    """

    habit: FloatArray
    way: int

    def probabilities(self, asked: Asked) -> FloatArray:
        """Chances (N, C).

        Raises: CheckRun for texts that no model which writes has read.
        """
        if not len(asked):
            return np.zeros((0, len(self.habit)))
        if asked.wording is None:
            raise CheckRun("rung by words", "texts without likelihoods", "a model that writes")
        return softmax(asked.wording[:, self.way] - self.habit)

    def arrays(self) -> Mapping[str, FloatArray]:
        """The habit."""
        return {"habit": self.habit}

    def about(self) -> Mapping[str, Any]:
        """Its kind and its way."""
        return {"form": "worded", "way": self.way}

    @classmethod
    def read(cls, about: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> Worded:
        """What was written."""
        return cls(arrays["habit"], int(about["way"]))


def by_words(about: Mapping[str, Any]) -> bool:
    """Whether a classifier, or a part of it, asks for likelihoods of names."""
    members = about.get("members", ())
    return about["form"] == "worded" or any(by_words(member) for member in members)
