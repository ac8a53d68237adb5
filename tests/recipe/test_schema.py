"""The JSON Schema says what the types say."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from luthier.core.errors import FixRecipe
from luthier.recipe import recipe_from_dict
from luthier.recipe.faults import all_keys
from luthier.recipe.schema import recipe_schema

DATA = {"data": {"train": "a.csv"}}


def allows(content: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(recipe_schema()).is_valid(content))


def types_allow(content: dict[str, Any]) -> bool:
    try:
        recipe_from_dict(content)
    except FixRecipe:
        return False
    return True


def test_it_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(recipe_schema())


@pytest.mark.parametrize(
    "content",
    [
        DATA,
        DATA | {"adapter": {}},
        DATA | {"adapter": {"rank": 4}},
        DATA | {"adapter": {"top_layers": 2}},
        DATA | {"adapter": {"kind": "ia3", "top_layers": 2}},
        DATA | {"adapter": {"kind": "none"}},
        DATA | {"adapter": {"kind": "full"}},
        DATA | {"train": {"learning_rate": "auto"}},
        DATA | {"train": {"learning_rate": 1e-4, "patience": None}},
        {"data": {"train": "a", "columns": {"text": ["title", "body"]}}},
    ],
)
def test_both_allow(content: dict[str, Any]) -> None:
    assert types_allow(content) and allows(content)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"data": {}},
        DATA | {"adaptor": {}},
        DATA | {"adapter": {"kind": "lroa"}},
        DATA | {"adapter": {"kind": "ia3", "rank": 4}},
        DATA | {"adapter": {"rank": 0}},
        DATA | {"train": {"learning_rate": "fast"}},
        DATA | {"task": "clasify"},
        DATA | {"name": "-starts with a dash"},
    ],
)
def test_both_refuse(content: dict[str, Any]) -> None:
    assert not types_allow(content) and not allows(content)


def test_every_key_is_described() -> None:
    schema = recipe_schema()
    sections = [schema, *schema["$defs"].values()]
    described = {
        name
        for section in sections
        for name, value in section.get("properties", {}).items()
        # A section is described where it is defined.
        if value.get("description") or "$ref" in value
    }
    assert {key.rsplit(".", 1)[-1] for key in all_keys()} - {"kind"} <= described
