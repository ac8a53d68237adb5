"""Logistic regression on the encoder's vectors, with and without descriptions as extra rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.errors import FixData
from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.forms.centred import Centred
from luthier.fewshot.rung import Known

STRENGTH = 10.0
"""Inverse penalty on unit vectors; weaker penalties calibrate better with few rows."""
WORTH, FADE = 2.0, 4.0
"""A description counts as so many rows at first, half of it at `FADE` rows per class."""


@dataclass(frozen=True)
class Described:
    """The linear probe with each class's description as one more row, whose weight fades."""

    name: str = "described probe"
    order: int = 1

    def refusal(self, known: Known) -> str:
        """One labelled row is enough: every class has its description."""
        return "" if len(known.rows) else "there is no labelled row"

    def fit(self, known: Known) -> Centred:
        """A description weighs 2 x 4 / (4 + k) rows at k labelled rows per class."""
        _require(self.refusal(known))
        classes = len(known.labels)
        vectors = np.concatenate([known.rows.vectors, known.described.vectors])
        truth = np.concatenate([known.truth, np.arange(classes)])
        counts = np.concatenate([known.row_weights, worth(known)])
        return Centred.fit(known.centre, vectors, truth, counts, classes, STRENGTH)


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression on the labelled rows alone.

    Source: Alain and Bengio, Understanding intermediate layers using linear classifier probes,
    2016.
    """

    name: str = "linear probe"
    order: int = 2

    def refusal(self, known: Known) -> str:
        """Two classes must have a row."""
        return few(known)

    def fit(self, known: Known) -> Centred:
        """A class without a row is never answered."""
        _require(self.refusal(known))
        classes = len(known.labels)
        return Centred.fit(
            known.centre, known.rows.vectors, known.truth, known.row_weights, classes, STRENGTH
        )


def worth(known: Known) -> FloatArray:
    """The weight of each class's description (C,) beside its rows."""
    return WORTH * FADE / (FADE + known.counts)


def few(known: Known) -> str:
    """Why there is nothing to learn from the rows alone, or nothing."""
    classes = int((known.counts > 0).sum())
    return "" if classes > 1 else f"labelled rows of {classes} classes, and two are needed"


def _require(refusal: str) -> None:
    if refusal:
        raise FixData("labels to learn from", refusal)
