"""Whether labelled rows are so few that a classifier is made by the ladder."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from luthier.core.types import Task
from luthier.fewshot.rungs.tuned import TunedStack
from luthier.models.places import writes
from luthier.recipe.fewshot import FEW, FEW_TUNED
from luthier.recipe.recipe import Recipe
from luthier.stages.prepare import Prepared


def is_few(recipe: Recipe, prepared: Prepared) -> bool:
    """Whether `auto` takes the ladder for these rows.

    Raises: as `few_of`.
    """
    if prepared.task is not Task.CLASSIFY or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return False
    if recipe.tune is not None or recipe.safety is not None or recipe.evaluate.harness:
        return False
    counts = counts_of(prepared)
    of_classes = [counts.get(name, 0) for name in recipe.fewshot.descriptions or counts]
    median = float(np.median(of_classes)) if of_classes else 0.0
    # What the base is is asked only where it matters: one of the hub has to be asked there.
    return median < FEW or (median < FEW_TUNED and median < few_of(recipe))


def few_of(recipe: Recipe) -> int:
    """Rows per class from which on a classifier is trained as usual; sooner where no rung may tune
    the encoder.

    Raises: as `writes`, for a base that can't be found.
    """
    section, model = recipe.fewshot, recipe.model
    named = not section.rungs or TunedStack().name in section.rungs
    if not named or not section.minutes or model.quantize != "none":
        return FEW
    return FEW if model.id != "auto" and writes(model.id, model.revision) else FEW_TUNED


def counts_of(prepared: Prepared) -> dict[str, int]:
    """Labelled rows of each class outside the test part."""
    learnt = np.concatenate([prepared.splits.train, prepared.splits.validation])
    labels: Sequence[str] = prepared.table.column("label") if len(prepared.table) else []
    names, counts = np.unique([str(labels[i]) for i in learnt], return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))
