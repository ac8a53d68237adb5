"""Rows held out in turn, class by class, with rows of one group never on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from luthier.core.seeds import derive
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.rung import Asked, Known, Rung

PARTS = 5
ONCE_ROWS, ONCE_PER_CLASS = 400, 20
"""From so many rows, and rows per class, one part is held out once and not each in turn."""
HELD = 0.25


@dataclass(frozen=True, eq=False)
class Fold:
    """Places of the rows to learn from and of those held out, both sorted."""

    learn: IntArray
    check: IntArray


def make_folds(known: Known, seed: int) -> list[Fold]:
    """The rows in five parts, each held out once; with many rows a quarter is held out once.

    Each class is spread over the parts as evenly as groups allow. Fewer than five units give as
    many parts as units. Rows that rules or a model labelled are learnt from in every part but that
    of their unit's other rows.
    """
    units, _ = _units(known)
    judged = known.judged
    owners, places = np.unique(units[judged], return_index=True)
    first = judged[places]
    once = len(judged) >= ONCE_ROWS and known.only(judged).per_class >= ONCE_PER_CLASS
    parts = min(round(1 / HELD) if once else PARTS, len(first))
    random = np.random.default_rng(derive(seed, "folds"))
    order = np.lexsort((random.random(len(first)), known.truth[first]))
    part = np.empty(len(first), dtype=np.int64)
    part[order] = (np.arange(len(first)) + int(random.integers(max(1, parts)))) % max(1, parts)
    rows = np.full(len(units), -1)
    mine = np.isin(units, owners)
    rows[mine] = part[np.searchsorted(owners, units[mine])]
    held = [np.intersect1d(np.flatnonzero(rows == p), judged) for p in range(parts)]
    found = [Fold(np.flatnonzero(rows != p), check) for p, check in enumerate(held)]
    usable = [fold for fold in found if len(fold.learn) and len(fold.check)]
    return usable[:1] if once else usable


def _units(known: Known) -> tuple[IntArray, IntArray]:
    """The unit of each row (N,), and one row of each unit; equal texts are one unit too."""
    from luthier.data.mappings.text import normalise
    from luthier.data.split import joined

    texts = [normalise(text) for text in known.rows.texts]
    groups = [None] * len(texts) if known.groups is None else known.groups.tolist()
    units = joined([texts, groups])
    return units, np.unique(units, return_index=True)[1]


def rows_held(folds: list[Fold]) -> IntArray:
    """Places of all rows that are held out in some fold, in the folds' order."""
    return np.concatenate([fold.check for fold in folds])


@runtime_checkable
class OverOthers(Protocol):
    """A rung whose held-out answers follow from those of its members."""

    def held_out(self, cut: Cut) -> FloatArray:
        """Chances of the rows held out (M, C)."""


@runtime_checkable
class Costly(Protocol):
    """A rung that is tried on fewer folds than others, as it takes long."""

    def cut(self, known: Known) -> Cut:
        """The folds on which it is tried."""


def held_out(rung: Rung, cut: Cut) -> FloatArray:
    """What a rung says about the rows held out (M, C), learnt without them."""
    return rung.held_out(cut) if isinstance(rung, OverOthers) else cut.chances(rung)


class Cut:
    """What is known, seen from each fold; what a rung makes of a fold is made once."""

    def __init__(self, known: Known, seed: int, folds: list[Fold] | None = None) -> None:
        self.known, self._seed = known, seed
        self.folds = make_folds(known, seed) if folds is None else folds
        self.held = rows_held(self.folds) if self.folds else np.zeros(0, np.int64)
        self._parts = [known.only(fold.learn) for fold in self.folds]
        self._asked = [known.rows.take(fold.check) for fold in self.folds]
        self._chances: dict[str, FloatArray] = {}
        self._shorter: dict[int, Cut] = {}

    def first(self, count: int) -> Cut:
        """The first `count` folds alone; what was made of them stays made."""
        if count >= len(self.folds):
            return self
        if count not in self._shorter:
            short = Cut(self.known, self._seed, self.folds[:count])
            short._parts = self._parts[:count]
            self._shorter[count] = short
        return self._shorter[count]

    @property
    def truth(self) -> IntArray:
        """Class numbers of the rows held out, in the folds' order."""
        return self.known.truth[self.held]

    @property
    def owner(self) -> IntArray:
        """The fold of each row held out."""
        return np.repeat(np.arange(len(self.folds)), [len(fold.check) for fold in self.folds])

    def chances(self, rung: Rung) -> FloatArray:
        """What `rung` says about the rows held out (M, C), learnt without them."""
        if rung.name not in self._chances:
            each = [self._one(rung, place) for place in range(len(self.folds))]
            self._chances[rung.name] = np.concatenate(each)
        return self._chances[rung.name]

    def _one(self, rung: Rung, place: int) -> FloatArray:
        part, asked = self._parts[place], self._asked[place]
        if rung.refusal(part):
            return _shares(part, asked)
        return part.made(rung).probabilities(asked)


def cut_of(known: Known, place: int = 0) -> Cut:
    """The rows cut in the `place`-th way, made once."""
    kept: dict[int, Cut] = known.__dict__.setdefault("cuts", {})
    if place not in kept:
        kept[place] = Cut(known, derive(known.seed, "cut", place))
    return kept[place]


def _shares(known: Known, asked: Asked) -> FloatArray:
    """The shares of the classes, for a fold in which a rung can't be tried."""
    counts = known.counts + 1.0
    return np.tile(counts / counts.sum(), (len(asked), 1))
