"""The family of repairs: what is changed in the rows and in the loss, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from luthier.explain.attribution import Floats, Ids
from luthier.explain.bias.terms import Lexicon
from luthier.train.step import Objective


@dataclass(frozen=True)
class TrainingRows:
    """Texts (N) and classes (N,) of the rows that are trained on."""

    texts: list[str]
    labels: Ids


@dataclass(frozen=True)
class Variant:
    """The text of a row with another person in it."""

    row: int
    text: str


@dataclass(frozen=True)
class Concept:
    """Texts (M), the carrier (M,) each was made of, and the word (M,) it names in it, -1 for none.

    Once training is over no linear reader of the vectors may tell the words of a carrier apart.
    """

    texts: tuple[str, ...]
    carriers: Ids
    words: Ids


@dataclass(frozen=True)
class Change:
    """What a repair makes of the rows.

    `copies` are learnt from like their rows; `partners` are read beside them and have no label.
    `weights` (N,) are factors of the rows' own; `groups` (N,) number what the loss keeps apart;
    `labels` (N,) take the place of the rows' classes. `concept` is erased after training.
    """

    copies: tuple[Variant, ...] = ()
    partners: tuple[Variant, ...] = ()
    weights: Floats | None = None
    groups: Ids | None = None
    labels: Ids | None = None
    concept: Concept | None = None


class Repair(Protocol):
    """A change of the one training step; held-out words never enter it."""

    @property
    def name(self) -> str:
        """What the repair is called."""

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """What becomes of the rows.

        Raises: FixData when no row or sentence gives it anything to work with.
        """

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses it trains on; `groups` (table rows,) are those of the change, by row of the
        table."""


def group_of(rows: TrainingRows, lexicon: Lexicon) -> tuple[np.ndarray, list[str]]:
    """The first axis that each row names with a word a repair may see (N,), 0 for none, and the
    names of the numbers. Rows that name a held-out word count as naming none."""
    from luthier.explain.bias.swap import mentions

    names = ["none", *dict.fromkeys(t.axis for t in lexicon.terms)]
    found = np.zeros(len(rows.texts), np.int64)
    for row, text in enumerate(rows.texts):
        said = mentions(text, lexicon)
        if said and all(m.term.part == "repair" for m in said):
            found[row] = names.index(said[0].term.axis)
    return found, names
