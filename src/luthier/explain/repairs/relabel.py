"""Labels put right: rows that a person labelled again are learnt with the new label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from luthier.core.errors import FixData
from luthier.explain.attribution import Ids
from luthier.explain.bias.terms import Lexicon
from luthier.explain.repair import Change, TrainingRows
from luthier.train.step import Objective


@dataclass(frozen=True)
class Relabel:
    """Classes by the texts of rows, as a person gave them."""

    corrected: Mapping[str, int] = field(default_factory=dict)
    name: str = "labels"

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """The classes of all rows.

        Raises: FixData when no training row is among the corrected ones, or all are as before.
        """
        known = [self.corrected.get(text) for text in rows.texts]
        labels = np.asarray(
            [old if new is None else new for old, new in zip(rows.labels, known, strict=True)],
            np.int64,
        )
        met = sum(new is not None for new in known)
        if not (labels != rows.labels).any():
            raise FixData(
                "the corrected labels",
                f"they stand at {met} training rows and change none",
                "a label that differs from the training row's",
                "list doubtful rows with luthier explain RUN --mislabelled --out FILE, and label "
                "them with luthier label RUN --pool FILE",
            )
        return Change(labels=labels)

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses as they are."""
        return inner
