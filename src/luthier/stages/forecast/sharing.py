"""Whether several processes hold the model in parts: asked for, possible, and needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.core.errors import FixRecipe
from luthier.recipe.recipe import Recipe
from luthier.stages.forecast.result import Path

if TYPE_CHECKING:
    from luthier.stages.forecast.rules import Body

FULL = 0.8
"""The share of a device that weights and optimiser may fill before `auto` cuts the model. A
choice: the rest is for activations."""
STATE_BYTES = 12
"""Gradient and two moving averages of a trained parameter, in float32."""


@dataclass(frozen=True)
class Crowd:
    """The processes of a run, the bytes free for one of them where they are several, and why the
    model cannot be cut (None when it can)."""

    processes: int = 1
    free: float = float("inf")
    no_cut: str | None = None


def shard_path(recipe: Recipe, body: Body) -> Path:
    """The verdict on `fast.shard`.

    Raises: FixRecipe when it is demanded and not possible.
    """
    wish, crowd = recipe.fast.shard, body.crowd
    against = "there is one process" if crowd.processes == 1 else _against(recipe, crowd)
    if wish == "off":
        return Path(False, "switched off in the recipe")
    if against is not None:
        if wish == "on":
            raise _refusal(against, crowd.processes)
        return Path(False, against)
    if wish == "on":
        return Path(True, f"each of {crowd.processes} processes holds a part of the model")
    needed = body.bytes + STATE_BYTES * body.trained
    sizes = (
        f"weights and optimiser need {needed / 1e6:.0f} MB and a process has {crowd.free / 1e6:.0f}"
    )
    if needed <= FULL * crowd.free:
        return Path(False, f"legal, but the model fits: {sizes}")
    return Path(True, f"the model does not fit one device: {sizes}")


def _against(recipe: Recipe, crowd: Crowd) -> str | None:
    if recipe.train.optimizer.kind == "adafactor":
        return "adafactor keeps statistics of whole rows and columns"
    if recipe.evaluate.harness:
        return "the harness shares out its rows itself (evaluate it on one process)"
    return crowd.no_cut


def _refusal(against: str, processes: int) -> FixRecipe:
    if processes > 1:
        return FixRecipe("fast.shard", f"it is not possible: {against}", advice="use auto")
    return FixRecipe(
        "fast.shard",
        f"it is not possible: {against}",
        "two processes or more",
        "torchrun --nproc-per-node 2 -m luthier.cli.main run recipe.yaml, or use auto",
    )
