"""Floor 1: the typed recipe. Data only, no tensors."""

from luthier.recipe.load import load_recipe, recipe_from_dict
from luthier.recipe.recipe import Recipe

__all__ = ["Recipe", "load_recipe", "recipe_from_dict"]
