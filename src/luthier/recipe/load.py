"""From a YAML 1.2 file, and overrides, to a typed recipe; faults are told with their line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from luthier.core.errors import FixRecipe, nearest
from luthier.recipe.faults import explain
from luthier.recipe.recipe import Recipe


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in `path` with `section.key=value` overrides applied.

    Raises: FixRecipe naming file, line and key, and the nearest valid key.
    """
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        near = nearest(path.name, siblings)
        advice = f"did you mean {near}?" if near else "`luthier init DATA` writes one"
        raise FixRecipe(str(path), "there is no such recipe", advice=advice)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FixRecipe(str(path), f"byte {error.start} is not UTF-8", "UTF-8 text") from error
    return recipe_from_dict(parse_yaml(text, str(path)), str(path), overrides)


def recipe_from_dict(
    content: Mapping[str, Any], place: str = "recipe", overrides: Sequence[str] = ()
) -> Recipe:
    """A typed recipe from plain values.

    Raises: FixRecipe as `load_recipe` does.
    """
    merged = apply_overrides(content, overrides)
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        raise explain(error, content, place, overrides) from error


def parse_yaml(text: str, place: str) -> CommentedMap:
    """The mapping in a YAML 1.2 text, with line numbers kept.

    Raises: FixRecipe with the line for broken YAML, a repeated key or another top level.
    """
    yaml = YAML(typ="rt")
    yaml.version = None
    try:
        content = yaml.load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = (error.problem or "broken YAML").split("\n")[0]
        raise FixRecipe(f"{place}, line {line}", problem, "YAML 1.2") from error
    except (YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        # Odd tags and numbers make the parser raise its own mistakes, too.
        raise FixRecipe(place, str(error).split("\n")[0], "YAML 1.2") from error
    if not isinstance(content, CommentedMap):
        raise FixRecipe(
            place,
            "no mapping of keys was found",
            "a recipe begins with keys such as `data:`",
            "`luthier init DATA` writes one",
        )
    return content


def apply_overrides(content: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of `content` with each `section.key=value` set; values are read as YAML.

    Raises: FixRecipe for an override without `=` or through something that is no section.
    """
    merged: dict[str, Any] = _plain(content)
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key.strip():
            raise FixRecipe(f"override {override!r}", "no `=` was found", "section.key=value")
        *sections, last = key.strip().split(".")
        place = merged
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise FixRecipe(f"override {override!r}", f"{section!r} is not a section")
        try:
            place[last] = _plain(YAML(typ="safe", pure=True).load(value))
        except YAMLError as error:
            raise FixRecipe(f"override {override!r}", "the value is not YAML") from error
    return merged


def dump_recipe(recipe: Recipe, only_given: bool = False) -> str:
    """The recipe as YAML; `only_given` leaves out defaults."""
    from io import StringIO

    yaml = YAML()
    yaml.default_flow_style = False
    stream = StringIO()
    yaml.dump(recipe.model_dump(mode="json", exclude_unset=only_given), stream)
    return stream.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool):
        return value
    # ruamel keeps the spelling of numbers in subclasses; pydantic wants the plain types.
    for plain in (int, float, str):
        if isinstance(value, plain):
            return plain(value)
    return value
