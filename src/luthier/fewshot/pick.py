"""Which training rows are worth learning from, where not all of them can be: the question."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun
from luthier.core.seeds import derive
from luthier.evaluate.predictions import FloatArray, IntArray

TARGETS = 2000
"""Rows that a choice has to cover; of more a random part stands for all."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """N training rows as picks see them.

    `vectors` (N, D) are an encoder's, `gradients` (N, K) sketches of what each row would change in
    the model, `losses` (N,) nats per token; `wanted` (M, K) are the gradients of validation rows.

    Raises: CheckRun when shapes do not agree.
    """

    vectors: FloatArray
    gradients: FloatArray
    losses: FloatArray
    wanted: FloatArray
    seed: int = 0

    def __post_init__(self) -> None:
        rows = len(self.vectors)
        for name in ("gradients", "losses"):
            if len(getattr(self, name)) != rows:
                met = f"{len(getattr(self, name))} rows"
                raise CheckRun(f"candidates.{name}", met, f"{rows}, one per vector")
        if self.wanted.shape[1:] != self.gradients.shape[1:]:
            met = f"{self.wanted.shape[1:]} numbers a row"
            raise CheckRun("candidates.wanted", met, f"{self.gradients.shape[1:]}")

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def near(self) -> NDArray[np.float32]:
        """Cosines (N, P) of every row with the P rows that a choice has to cover, seen from the
        mean of all; below zero counts as zero."""
        unit = directions(self.vectors - self.vectors.mean(axis=0, keepdims=True))
        targets = self.rng("targets").permutation(len(unit))[:TARGETS]
        return np.asarray(np.maximum(unit @ unit[targets].T, 0), np.float32)

    @cached_property
    def agreement(self) -> FloatArray:
        """Cosine (N,) of each row's gradient with the mean direction of the validation rows';
        zero where there are none."""
        if not len(self.wanted):
            return np.zeros(len(self))
        way = directions(self.wanted).mean(axis=0, keepdims=True)
        return np.asarray(directions(self.gradients) @ directions(way)[0], np.float64)

    def rng(self, name: str) -> np.random.Generator:
        """Random numbers of their own for each use."""
        return np.random.default_rng(derive(self.seed, name))


class Pick(Protocol):
    """One way to choose training rows."""

    @property
    def name(self) -> str:
        """Its name in recipes, records and reports."""

    @property
    def reads(self) -> tuple[str, ...]:
        """What it looks at: `vectors`, `gradients`, `losses`; nothing else is computed for it."""

    def order(self, candidates: Candidates, count: int) -> IntArray:
        """`count` different rows, the first picked first; the same candidates give the same."""


def directions(values: FloatArray) -> NDArray[np.float32]:
    """Rows of length one; one of length zero stays as it is."""
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    found = np.divide(values, length, out=np.zeros(values.shape), where=length > 0)
    return np.asarray(found, np.float32)


def ranks(values: FloatArray) -> FloatArray:
    """Places from 0 to 1, the largest value last; equal ones share theirs."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(values) - 1) / max(1, len(values) - 1))
