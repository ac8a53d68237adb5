"""The encoder as an earlier run left it, and the head made anew on its vectors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.forms.centred import around
from luthier.fewshot.rung import Earlier, Known, Rung
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.through import FoldedStack, three_through

RANKED = 600
"""Labelled rows by which earlier encoders are ranked; of more the first of a fixed order."""


def _missing(known: Known) -> str:
    return "" if known.earlier else "no earlier run of the store tuned this base on other data"


def _members() -> tuple[Rung, ...]:
    return three_through("earlier", nearest, _missing)


@dataclass(frozen=True)
class EarlierStack(FoldedStack):
    """The stacked blend on the encoder of an earlier run, which no label of this task moved.

    In each fold the earlier encoders are ranked without the rows that are held out, so trying
    many of them flatters none.
    """

    name: str = "earlier"
    order: int = 8
    inner: Stacked = field(default_factory=lambda: Stacked("earlier", 8, _members()))

    def refusal(self, known: Known) -> str:
        """An earlier encoder is needed, and labels to rank by."""
        if not len(known.rows):
            return "without labels nothing tells which earlier run is near"
        return super().refusal(known)


def nearest(known: Known) -> Earlier:
    """Of the earlier encoders that on whose vectors the labels are told best, found once."""
    if "nearest" not in known.__dict__:
        places = np.random.default_rng(known.seed).permutation(len(known.rows))[:RANKED]
        rows, truth = known.rows.take(places), known.truth[places]
        found = {e.name: left_out_error(e.read(rows).vectors, truth) for e in known.earlier}
        known.__dict__["nearest"] = min(known.earlier, key=lambda e: (found[e.name], e.name))
    best: Earlier = known.__dict__["nearest"]
    return best


def left_out_error(vectors: FloatArray, truth: IntArray) -> float:
    """Mean squared error of one-hot classes (N,) by ridge regression on vectors (N, D), each row
    answered without itself; in closed form, so it costs one inverse.

    Source: Allen, The Relationship between Variable Selection and Data Augmentation and a Method
    for Prediction, 1974 (PRESS).
    """
    level = around(vectors.mean(axis=0), vectors)
    wanted = np.eye(int(truth.max()) + 1)[truth]
    wanted = wanted - wanted.mean(axis=0)
    inverse = np.linalg.inv(level @ level.T + np.eye(len(level)))
    left_out = (inverse @ wanted) / np.diag(inverse)[:, None]
    return float((left_out**2).sum(axis=1).mean())
