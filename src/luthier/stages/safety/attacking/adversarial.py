"""`safety.adversarial` in training: what the section makes of the plain objective."""

from __future__ import annotations

from luthier.core.errors import FixRecipe
from luthier.core.progress import Progress
from luthier.models.adapter import lowest_trained
from luthier.stages.workshop import Workshop
from luthier.train.step import Objective

PLACE = "safety.adversarial"


def hardened(shop: Workshop, progress: Progress) -> Objective:
    """The head's losses, disturbed as the recipe says.

    Raises: FixRecipe for a model held in parts.
    """
    safety = shop.recipe.safety
    section = safety.adversarial if safety else None
    if section is None or section.kind == "none" or section.radius == 0:
        return shop.head.losses
    if shop.network.in_parts:
        raise FixRecipe(PLACE, "the model is held in parts", advice="set fast.shard: off")
    if section.kind == "words":
        return _words(shop, section.radius, section.weight, progress)
    from luthier.safety.objectives.build import wrapped

    cut = shop.legal["prefix_cache"].on or section.kind == "layer"
    below = lowest_trained(shop.adapter, shop.network.stack) if cut else 0
    return wrapped(
        section.kind, shop.head.losses, section.radius, section.steps, section.weight, below,
        shop.network.stack.layers,
    )  # fmt: skip


def _words(shop: Workshop, share: float, weight: float, progress: Progress) -> Objective:
    import torch

    from luthier.safety.lexicon import continues, table
    from luthier.safety.objectives.substitute import Substitute
    from luthier.stages.safety.attacking.lexicon import lexicon_of

    lexicon = lexicon_of(shop.base, None, progress)
    rows = shop.network.backbone.get_input_embeddings().weight.shape[0]
    near = torch.from_numpy(table(lexicon, rows)).to(shop.device)
    inside = torch.zeros(rows, dtype=torch.bool)
    known = torch.from_numpy(continues(shop.base.tokenizer))
    inside[: len(known)] = known
    return Substitute(shop.head.losses, near, inside.to(shop.device), share, weight)
