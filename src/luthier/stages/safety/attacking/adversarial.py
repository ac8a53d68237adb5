"""`safety.adversarial` in training: what the section makes of the plain objective."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core.errors import FixRecipe
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.models.adapter import lowest_trained
from luthier.train.step import Objective

if TYPE_CHECKING:
    from luthier.recipe.recipe import Recipe
from luthier.stages.workshop import Workshop

PLACE = "safety.adversarial"


def against_attacks(recipe: Recipe) -> bool:
    """Whether the recipe trains against disturbances at all."""
    section = recipe.safety.adversarial if recipe.safety else None
    return section is not None and section.kind != "none" and section.radius > 0


def hardened(shop: Workshop, progress: Progress) -> Objective:
    """The head's losses, disturbed as the recipe says.

    Raises: FixRecipe for what does not go together.
    """
    safety = shop.recipe.safety
    section = safety.adversarial if safety else None
    if section is None or section.kind == "none" or section.radius == 0:
        return shop.head.losses
    _refuse(shop, section.kind, private=safety is not None and safety.privacy is not None)
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


def _refuse(shop: Workshop, kind: str, private: bool) -> None:
    if private:
        raise FixRecipe(PLACE, "it is not proved together with safety.privacy", "one of the two")
    if shop.network.in_parts:
        raise FixRecipe(PLACE, "the model is held in parts", advice="set fast.shard: off")
    if shop.legal["pack"].on:
        raise FixRecipe(PLACE, "rows share a sequence", advice="set fast.pack: off")
    if kind in ("virtual", "words") and shop.task is not Task.CLASSIFY:
        raise FixRecipe(
            f"{PLACE}.kind", f"{kind} needs a task that classifies, this is {shop.task.value}",
            "freelb, pgd, layer or latent",
        )  # fmt: skip
    if kind == "words" and shop.legal["prefix_cache"].on:
        raise FixRecipe(
            f"{PLACE}.kind", "exchanged words need every layer, and the frozen ones are kept",
            advice="set fast.prefix_cache: off",
        )  # fmt: skip
