"""From a recipe's section to its adapter; no tensors are loaded before it is attached."""

from __future__ import annotations

from luthier.models.adapter import Adapter
from luthier.models.adapters.full import FullParameters, HeadAlone
from luthier.models.adapters.ia3 import Ia3Scales
from luthier.models.adapters.lora import LowRank
from luthier.recipe.model import Full, HeadOnly, Ia3, Lora


def build_adapter(section: Lora | Ia3 | Full | HeadOnly) -> Adapter:
    """The adapter a recipe asks for."""
    if isinstance(section, Lora):
        return LowRank(
            section.rank,
            section.alpha,
            section.dropout,
            None if section.targets == "all-linear" else section.targets,
            section.top_layers,
            section.rank_stabilised,
            section.decomposed,
        )
    if isinstance(section, Ia3):
        return Ia3Scales(
            None if section.targets == "auto" else section.targets,
            None if section.feedforward == "auto" else section.feedforward,
            section.top_layers,
        )
    return FullParameters(section.top_layers) if isinstance(section, Full) else HeadAlone()
