"""`safety.checks` in the flow: poison before and after training, behaviour before and after."""

from __future__ import annotations

from typing import Any

from luthier.core.progress import Progress
from luthier.recipe.safety.checks import Checks
from luthier.stages.safety.attacking.harden import refuse_hardening
from luthier.stages.safety.battery import compare
from luthier.stages.safety.poison import look, search
from luthier.stages.training import Trained
from luthier.stages.workshop import Workshop


def before(shop: Workshop, progress: Progress) -> dict[str, Any]:
    """What is found before training; empty when no check was asked for.

    Raises: FreeDisk; FixRecipe for hardening that is not possible.
    """
    refuse_hardening(shop)
    section = _section(shop)
    if section is None or not section.poison:
        return {}
    return {"poison": look(shop, progress)}


def after(shop: Workshop, trained: Trained, found: dict[str, Any], progress: Progress) -> None:
    """Adds what is found after training to `trained.safety`, under `poison` and `battery`.

    Raises: FixRecipe for a battery on a model that does not write.
    """
    section = _section(shop)
    if section is None:
        return
    if "poison" in found:
        trained.safety["poison"] = search(shop, found["poison"], progress)
    writes = shop.task.generates and not shop.base.masked
    if section.battery == "on" or (section.battery == "auto" and writes):
        trained.safety["battery"] = compare(shop, section, progress)


def _section(shop: Workshop) -> Checks | None:
    safety = shop.recipe.safety
    return None if safety is None else safety.checks
