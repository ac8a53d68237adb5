"""Rungs on the vectors of another encoder than the base as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.folds import Cut, cut_of
from luthier.fewshot.forms.blend import Blend
from luthier.fewshot.rung import Asked, Fitted, Known, Rung, Tuned
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.lexical import LexicalRung
from luthier.fewshot.rungs.linear import Described
from luthier.fewshot.rungs.zero import ZeroShot

CENTRED = 500
"""Texts of the pool that the other encoder reads to find their middle."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A classifier of another encoder's vectors, asked with those of the untouched one.

    On disk it is the classifier alone: whoever reads it back has the other encoder's vectors.
    """

    member: Fitted
    encoder: Tuned

    def probabilities(self, asked: Asked) -> FloatArray:
        """Chances (N, C)."""
        return self.member.probabilities(self.encoder.read(asked))

    def arrays(self) -> Mapping[str, FloatArray]:
        """The classifier's own."""
        return self.member.arrays()

    def about(self) -> Mapping[str, Any]:
        """What the classifier is."""
        return self.member.about()


@dataclass(frozen=True)
class Through:
    """A rung on the vectors of the encoder that `of` finds; `missing` says why there is none."""

    inner: Rung
    mark: str
    of: Callable[[Known], Tuned]
    missing: Callable[[Known], str]
    order: int = 8

    @property
    def name(self) -> str:
        """The rung's, marked."""
        return f"{self.inner.name}, {self.mark}"

    def refusal(self, known: Known) -> str:
        """Why there is no such encoder, or what is in the way of the rung."""
        return self.missing(known) or self.inner.refusal(known)

    def fit(self, known: Known) -> Seen:
        """The rung, fitted to the other encoder's vectors of the same texts."""
        if refused := self.refusal(known):
            raise FixData("labels to learn from", refused)
        encoder = self.of(known)
        own = replace(
            known,
            rows=encoder.read(known.rows),
            described=encoder.read(known.described),
            pool=encoder.read(_some(known)),
        )
        return Seen(self.inner.fit(own), encoder)


class FoldedStack:
    """A stack whose members are fitted, and weighed, on the folds of `cut`; base of such rungs."""

    inner: Stacked

    def refusal(self, known: Known) -> str:
        """What is in the way of a member."""
        return self.inner.refusal(known)

    def cut(self, known: Known) -> Cut:
        """The folds on which it is tried."""
        return cut_of(known)

    def fit(self, known: Known) -> Blend:
        """Members on the other encoder's vectors; powers from the folds of `cut`."""
        if refused := self.refusal(known):
            raise FixData("labels to learn from", refused)
        return self.inner.joined(known, self.cut(known))

    def held_out(self, cut: Cut) -> FloatArray:
        """Chances of the rows held out (M, C), learnt without them."""
        return self.inner.held_out(cut)


def three_through(
    mark: str, of: Callable[[Known], Tuned], missing: Callable[[Known], str]
) -> tuple[Rung, ...]:
    """Zero-shot and described probe on the other encoder's vectors, and lexical."""
    zero, probe = (Through(rung, mark, of, missing) for rung in (ZeroShot(), Described()))
    return (zero, probe, LexicalRung())


def _some(known: Known) -> Asked:
    """The first texts of the pool, the same object each time, so that it is read once."""
    kept: Asked = known.pool
    if len(kept) > CENTRED:
        kept = known.__dict__.setdefault("some", kept.take(np.arange(CENTRED)))
    return kept
