"""`repair:` a change of the training against bias; `luthier repair` writes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from luthier.recipe.section import Section


class Repair(Section):
    """A change of the training against bias, usually from a finished run on."""

    kind: Literal["pair", "augment", "reweigh", "robust", "erase", "labels", "blind", "none"] = (
        "pair"
    )
    """The change: equal scores for exchanged words, exchanged rows to learn from, weights of
    groups by label, the worst group first, words of groups erased from the vectors, labels put
    right; and as controls: those words masked before any text is read, or none."""
    strength: float = Field(0.3, gt=0)
    """How much it counts: the factor of the second loss, copies of each row, or the pull to the
    worst group; it means nothing to the other kinds."""
    parent: str | None = None
    """Folder of the finished run whose weights training goes on from; left out, it starts anew."""
    terms: str | None = None
    """File of words and sentences; left out, the built-in ones. Held-out words are only masked by
    `blind`, and used by nothing else."""
    labels: str | None = None
    """File of rows with corrected labels, as `luthier label` writes it; for `labels` only."""
