"""A recipe that says which commit of the hub it was run with, so that it can be run again."""

from __future__ import annotations

from pathlib import Path

from luthier.data.source import pin
from luthier.models.places import is_hub, pinned
from luthier.recipe.recipe import Recipe


def pin_recipe(recipe: Recipe, base_folder: Path) -> Recipe:
    """The recipe with the present commits of what it names on the hub; files stay as they are.

    Raises: FixData or FixModel when the hub does not tell.
    """
    data, model = recipe.data, recipe.model
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    exact = {part: pin(p, base_folder, data.format) for part, p in parts.items() if p is not None}
    if exact != {part: place for part, place in parts.items() if place is not None}:
        data = data.model_copy(update=exact)
    if is_hub(model.id):
        model = model.model_copy(update={"revision": pinned(model.id, model.revision)})
    return recipe.model_copy(update={"data": data, "model": model})
