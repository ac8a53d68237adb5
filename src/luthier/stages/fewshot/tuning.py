"""The encoder of a workshop as one that the ladder may tune, and the tuned one in its place."""

from __future__ import annotations

from luthier.fewshot.rung import Known
from luthier.fewshot.tuning.encoder import Moved, Tunable, fill_in
from luthier.recipe.model import Lora
from luthier.stages.workshop import Workshop


def tunable(shop: Workshop) -> Tunable | None:
    """The base of the workshop; None where it writes, is held in few bits, or
    no time is allowed."""
    if shop.base.kind != "encoder":
        return None
    if shop.recipe.model.quantize != "none" or not shop.recipe.fewshot.minutes:
        return None
    return Tunable(shop.base, shop.pad_id)


def put_tuned(shop: Workshop, known: Known) -> None:
    """Puts the encoder tuned to all labelled rows into the workshop; its recipe says so."""
    moved = known.tuned()
    assert isinstance(moved, Moved)
    encoder = moved.encoder
    network = encoder.network(known.seed)
    fill_in(network, moved.weights)
    shop.network, shop.adapter = network, encoder.adapter
    adapter = Lora(
        rank=encoder.adapter.rank,
        alpha=encoder.adapter.alpha,
        top_layers=encoder.adapter.top_layers,
    )
    shop.recipe = shop.recipe.model_copy(update={"adapter": adapter})
