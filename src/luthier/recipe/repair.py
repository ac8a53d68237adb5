"""`repair:` a change of the training against bias; `luthier repair` writes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from luthier.recipe.section import Section


class Repair(Section):
    """A change of the training against bias, usually from a finished run on."""

    kind: Literal["pair", "augment", "reweigh", "robust", "none"] = "pair"
    """The change: equal scores for exchanged words, exchanged rows to learn from, weights of
    groups by label, the worst group first, or none (a control)."""
    strength: float = Field(0.3, gt=0)
    """How much it counts: the factor of the second loss, copies of each row, or the pull to the
    worst group; it means nothing to `reweigh` and `none`."""
    parent: str | None = None
    """Folder of the finished run whose weights training goes on from; left out, it starts anew."""
    terms: str | None = None
    """File of words and sentences; left out, the built-in ones. Held-out words are never used."""
