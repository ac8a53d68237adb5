"""Writes docs/reference/recipe.md from the recipe types.

python scripts/reference.py          # write
python scripts/reference.py --check  # 1 when the page is out of date
"""

from __future__ import annotations

import sys
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from luthier.recipe.recipe import Recipe

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "recipe.md"


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Recipe",
        "",
        "Every key but `data.train` may be left out. Keys are set in the file, or on the command",
        "line as `section.key=value`. This page is made by `python scripts/reference.py`.",
        "",
    ]
    for name, section, about in _sections(Recipe, ""):
        lines += [
            f"## {name or 'Top level'}",
            "",
            about,
            "",
            "| Key | Default | What |",
            "|---|---|---|",
        ]
        for key, field in section.model_fields.items():
            default = "" if field.is_required() else _default(field)
            what = (field.description or "").replace("\n", " ").replace("|", "\\|")
            lines.append(f"| `{key}` | {default} | {what} |")
        lines.append("")
    return "\n".join(lines)


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _sections(section: type[BaseModel], name: str) -> list[tuple[str, type[BaseModel], str]]:
    found = [(name, section, (section.__doc__ or "").strip().split("\n")[0])]
    for key, field in section.model_fields.items():
        inner = _models(field.annotation)
        for model in inner:
            kind = f" ({model.model_fields['kind'].default})" if len(inner) > 1 else ""
            found += _sections(model, f"{name}.{key}{kind}".lstrip("."))
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        return [m for arg in typing.get_args(annotation) for m in _models(arg)]
    return []


def main() -> int:
    """Writes the page, or checks it."""
    if "--check" in sys.argv:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
