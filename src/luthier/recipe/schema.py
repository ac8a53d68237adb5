"""The JSON Schema of a recipe, so that editors complete keys and mark mistakes."""

from __future__ import annotations

from typing import Any

from luthier.recipe.recipe import Recipe


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a recipe; the recipe types are its only source.

    What the schema accepts, the types accept, and the other way round.
    """
    schema = Recipe.model_json_schema(mode="validation")
    _name_the_kind(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Luthier recipe",
    }


def _name_the_kind(schema: dict[str, Any]) -> None:
    # `kind` may be left out for LoRA only. Without this, `{}` would match every adapter and
    # `oneOf` would refuse it.
    definitions = schema["$defs"]
    for name in ("Ia3", "Full", "HeadOnly"):
        definitions[name]["required"] = ["kind"]
