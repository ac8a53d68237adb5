"""Validation errors turned into one sentence with file, line, key and nearest valid key."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from luthier.core.errors import FixRecipe, nearest
from luthier.recipe.recipe import Recipe


def explain(
    error: ValidationError,
    content: Mapping[str, Any],
    place: str,
    overrides: Sequence[str] = (),
) -> FixRecipe:
    """The first fault of a recipe, as an error a person can act on."""
    fault = error.errors()[0]
    path = _named_path(fault["loc"])
    line = _line_of(content, path)
    overridden = next((o for o in overrides if o.split("=")[0].strip() == ".".join(path)), None)
    if overridden is not None:
        where = f"override {overridden!r}"
    else:
        where = f"{place}, line {line}" if line else place
    dotted = ".".join(path)
    if fault["type"] == "extra_forbidden":
        return _unknown_key(where, path)
    if fault["type"] == "missing":
        return FixRecipe(where, f"the key {dotted!r} is missing", advice="add it")
    if fault["type"] == "union_tag_invalid":
        expected = fault["ctx"]["expected_tags"].replace("'", "")
        near = nearest(str(fault["ctx"]["tag"]), expected.split(", "))
        advice = f"did you mean {near!r}?" if near else ""
        return FixRecipe(
            where, f"`{dotted}.kind` is {fault['ctx']['tag']!r}", f"one of {expected}", advice
        )
    given = fault.get("input")
    said = fault["msg"].removeprefix("Value error, ")
    allowed = said[0].lower() + said[1:]
    near = None
    if fault["type"] in ("literal_error", "enum"):
        options = [o.strip(" '") for o in fault["ctx"]["expected"].replace(" or ", ",").split(",")]
        near = nearest(str(given), options)
    advice = f"did you mean {near!r}?" if near else ""
    return FixRecipe(where, f"`{dotted}` is {given!r}", allowed, advice)


def _unknown_key(where: str, path: Sequence[str]) -> FixRecipe:
    *parents, key = path
    section = _section_at(parents)
    fields = list(section.model_fields) if section else []
    near = nearest(key, fields)
    elsewhere = [p for p in all_keys() if p.rsplit(".", 1)[-1] == key]
    advice = f"did you mean {'.'.join([*parents, near])!r}?" if near else ""
    if elsewhere:
        # The same word in another section is a better guess than a similar word in this one.
        advice = f"did you mean {elsewhere[0]!r}?"
    inside = f"in `{'.'.join(parents)}`" if parents else "at the top level"
    return FixRecipe(
        where, f"the key {key!r} is unknown {inside}", f"allowed: {', '.join(fields)}", advice
    )


def all_keys() -> list[str]:
    """Every dotted key a recipe may have."""

    def walk(section: type[BaseModel], prefix: str) -> list[str]:
        found = []
        for name, field in section.model_fields.items():
            found.append(prefix + name)
            for inner in _sections_of(field.annotation):
                found += [k for k in walk(inner, f"{prefix}{name}.") if k not in found]
        return found

    return walk(Recipe, "")


def _named_path(location: tuple[int | str, ...]) -> list[str]:
    # Unions add their member's name to the location; it is no key of the file.
    path: list[str] = []
    for part in location:
        is_tag = bool(path) and path[-1] == "adapter" and part in ("lora", "ia3", "full", "none")
        if isinstance(part, int):
            path.append(str(part))
        elif not is_tag and part not in ("float", "int", "str", "bool") and part.isidentifier():
            path.append(part)
    return path


def _section_at(path: Sequence[str]) -> type[BaseModel] | None:
    section: type[BaseModel] = Recipe
    for part in path:
        field = section.model_fields.get(part)
        if field is None:
            return None
        inner = _sections_of(field.annotation)
        if not inner:
            return None
        section = inner[0]
    return section


def _sections_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        return [s for arg in typing.get_args(annotation) for s in _sections_of(arg)]
    return []


def _line_of(content: Any, path: Sequence[str]) -> int | None:
    line = None
    for part in path:
        marks = getattr(content, "lc", None)
        if not isinstance(content, Mapping) or marks is None or part not in content:
            break
        line = marks.key(part)[0] + 1
        content = content[part]
    return line
