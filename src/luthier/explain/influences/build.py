"""The methods by name."""

from __future__ import annotations

from collections.abc import Mapping

from luthier.core.errors import FixRecipe, nearest
from luthier.explain.influence import Influence
from luthier.explain.influences.cosine import GradientCosine
from luthier.explain.influences.datainf import DataInf
from luthier.explain.influences.embedding import EmbeddingSimilarity

CONTROL = EmbeddingSimilarity()
"""Shown beside every other method."""


def influences() -> Mapping[str, Influence]:
    """Every method by the name it is asked for."""
    return {one.name: one for one in (GradientCosine(), DataInf(), CONTROL)}


def influence_of(name: str) -> Influence:
    """A method by its name.

    Raises: FixRecipe for an unknown one, with the nearest.
    """
    known = influences()
    if name not in known:
        near = nearest(name, known)
        raise FixRecipe(
            f"--by {name!r}", "there is no such method", ", ".join(known),
            f"did you mean {near!r}?" if near else "",
        )  # fmt: skip
    return known[name]
