"""The encoder itself brought closer to the classes, and the head made anew on its vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

SECONDS = 300.0
"""What all tunings of one choice may take, as `Encoder.seconds` counts it."""
MOST_FOLDS = 5
TELLING_ROWS = 350
"""Rows held out from which further folds are not worth a tuning each."""
CENTRED = 500
"""Texts of the pool that the tuned encoder reads to find their middle."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A classifier of tuned vectors, asked with those of the untouched encoder.

    On disk it is the classifier alone: whoever reads it back has the tuned encoder's vectors.
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
    """A rung on the vectors of the tuned encoder."""

    inner: Rung
    order: int = 8

    @property
    def name(self) -> str:
        """The rung's, marked."""
        return f"{self.inner.name}, tuned"

    def refusal(self, known: Known) -> str:
        """What is in the way of tuning or of the rung."""
        if known.encoder is None:
            return "the encoder can't be tuned here"
        return self.inner.refusal(known)

    def fit(self, known: Known) -> Seen:
        """The rung, fitted to tuned vectors of the same texts."""
        if refused := self.refusal(known):
            raise FixData("labels to learn from", refused)
        encoder = known.tuned()
        return Seen(self.inner.fit(read_by(encoder, known)), encoder)


def read_by(encoder: Tuned, known: Known) -> Known:
    """What is known, with the vectors of another encoder; of the pool no more than its middle
    takes."""
    return replace(
        known,
        rows=encoder.read(known.rows),
        described=encoder.read(known.described),
        pool=encoder.read(_some(known)),
    )


def _some(known: Known) -> Asked:
    """The first texts of the pool, the same object each time, so that it is read once."""
    kept: Asked = known.pool
    if len(kept) > CENTRED:
        kept = known.__dict__.setdefault("some", kept.take(np.arange(CENTRED)))
    return kept


def _members() -> tuple[Rung, ...]:
    return (Through(ZeroShot()), Through(Described()), LexicalRung())


@dataclass(frozen=True)
class TunedStack:
    """The stacked blend on an encoder that was tuned to the labelled rows.

    The upper layers get low-rank updates by a cosine head and a supervised contrastive loss; that
    head is then dropped, and probe and powers are fitted anew. In each fold the encoder is tuned
    without the rows that are held out.
    """

    name: str = "tuned"
    order: int = 8
    seconds: float = SECONDS
    inner: Stacked = field(default_factory=lambda: Stacked("tuned", 8, _members()))

    def refusal(self, known: Known) -> str:
        """The encoder must be there to be tuned, in the time there is."""
        if refused := self.inner.refusal(known):
            return refused
        assert known.encoder is not None
        takes = 2 * known.encoder.seconds(known)
        if takes > self.seconds:
            return (
                f"tuning the encoder twice takes about {takes / 60:.1f} minutes, "
                f"and {self.seconds / 60:g} are allowed"
            )
        return ""

    def cut(self, known: Known) -> Cut:
        """As many folds as there is time to tune for, beside the tuning to all rows, and as tell
        enough."""
        assert known.encoder is not None
        times = int(self.seconds / known.encoder.seconds(known)) - 1
        cut = cut_of(known)
        held = np.cumsum([len(fold.check) for fold in cut.folds])
        enough = 1 + int(np.searchsorted(held, TELLING_ROWS))
        return cut.first(max(1, min(MOST_FOLDS, times, enough)))

    def fit(self, known: Known) -> Blend:
        """Members on tuned vectors; powers from the folds of `cut`."""
        if refused := self.refusal(known):
            raise FixData("labels to learn from", refused)
        return self.inner.joined(known, self.cut(known))

    def held_out(self, cut: Cut) -> FloatArray:
        """Chances of the rows held out (M, C), tuned and learnt without them."""
        return self.inner.held_out(cut)
