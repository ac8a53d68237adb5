"""What `safety.privacy` asks of the rest of a recipe: set where it is open, refused where not."""

from __future__ import annotations

import math
from typing import Any

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.recipe.recipe import Recipe
from luthier.stages.prepare import Prepared
from luthier.stages.safety.outlook import units_in

EPOCHS = 20.0
"""Passes over the data of a private run."""
MICRO_ROWS = 32
"""Rows per forward pass: their gradients are held side by side."""


def make_private(recipe: Recipe, prepared: Prepared) -> Recipe:
    """The recipe as a private run follows it; unchanged without `safety.privacy`.

    Raises: FixRecipe for a key that was set and contradicts the promise.
    """
    section = recipe.safety.privacy if recipe.safety is not None else None
    if section is None:
        return recipe
    _refuse(recipe, prepared.task)
    units = units_in(recipe, prepared)
    train = recipe.train
    batch: int = section.batch_size if section.batch_size != "auto" else expected_batch(units)
    optimizer = train.optimizer.model_copy(update={"clip_norm": None})
    epochs = train.epochs or EPOCHS
    steps = max(1, round(math.ceil(units / batch) * epochs))
    changed: dict[str, Any] = {
        "batch_size": batch,
        "micro_batch": train.micro_batch or MICRO_ROWS,
        "epochs": epochs,
        "max_steps": min(steps, train.max_steps or steps),
        "optimizer": optimizer,
        "patience": None,
    }
    fast: dict[str, Any] = {"pack": "off", "shard": "off"}
    if recipe.adapter.kind == "full":
        # In pieces, the loss would read the output layer's weight past the layer.
        fast["chunked_loss"] = "off"
    return recipe.model_copy(
        update={
            "train": train.model_copy(update=changed),
            "fast": recipe.fast.model_copy(update=fast),
            "evaluate": recipe.evaluate.model_copy(update={"probe": False}),
        }
    )


def expected_batch(units: int) -> int:
    """An eighth of the units, 64 to 4096: large batches bear the noise better."""
    return min(units, max(64, min(4096, round(units / 8))))


def _refuse(recipe: Recipe, task: Task) -> None:
    assert recipe.safety is not None and recipe.safety.privacy is not None
    section = recipe.safety.privacy
    if recipe.tune is not None:
        raise FixRecipe(
            "tune",
            "every trial of a search would spend the privacy of the same rows",
            advice="search on public rows like yours, and train privately with what it found",
        )
    if task is Task.REGRESS:
        raise FixRecipe(
            "safety.privacy",
            "values are standardised by the mean and the deviation of the training rows, which "
            "would tell of them",
            advice="sort the values into classes whose bounds are fixed beforehand",
        )
    if section.unit == "column" and recipe.data.columns.group != section.column:
        raise FixRecipe(
            "safety.privacy.column",
            f"{section.column!r} is not what keeps rows together in the splits",
            f"data.columns.group: {section.column}",
            "set both to the same column, so that a unit never stands in two splits",
        )
    if recipe.fast.pack == "on":
        raise FixRecipe(
            "fast.pack",
            "in a private run no two units may share a sequence",
            advice="leave it out",
        )
    if recipe.fast.shard == "on":
        raise FixRecipe(
            "fast.shard",
            "a private run needs the whole model in every process",
            advice="leave it out",
        )
