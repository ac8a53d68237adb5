"""The encoder itself brought closer to the classes, and the head made anew on its vectors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from luthier.fewshot.choosing.evidence import Credit
from luthier.fewshot.folds import Cut, cut_of
from luthier.fewshot.rung import Known, Rung
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.through import FoldedStack, three_through

SECONDS = 300.0
"""What all tunings of one choice may take, as `Encoder.seconds` counts it."""
MOST_FOLDS = 5
TELLING_ROWS = 350
"""Rows held out from which further folds are not worth a tuning each."""
CREDIT = Credit(0.015, 0.022)
"""What it brought over the stacked blend on the five sets of `bench/fewshot` where it was tried."""


def _missing(known: Known) -> str:
    return "" if known.encoder is not None else "the encoder can't be tuned here"


def _members() -> tuple[Rung, ...]:
    return three_through("tuned", Known.tuned, _missing)


@dataclass(frozen=True)
class TunedStack(FoldedStack):
    """The stacked blend on an encoder that was tuned to the labelled rows.

    The upper layers get low-rank updates by a cosine head and a supervised contrastive loss; that
    head is then dropped, and probe and powers are fitted anew. In each fold the encoder is tuned
    without the rows that are held out.
    """

    name: str = "tuned"
    order: int = 8
    seconds: float = SECONDS
    credit: Credit | None = CREDIT
    inner: Stacked = field(default_factory=lambda: Stacked("tuned", 8, _members()))

    def refusal(self, known: Known) -> str:
        """The encoder must be there to be tuned, in the time there is."""
        if refused := super().refusal(known):
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
