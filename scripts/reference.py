"""Writes docs/reference/recipe.md from the recipe types and cli.md from the commands.

python scripts/reference.py          # write
python scripts/reference.py --check  # 1 when a page is out of date
"""

from __future__ import annotations

import sys
import types
import typing
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from luthier.cli.main import app
from luthier.core.errors import LuthierError
from luthier.recipe.recipe import Recipe

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


def recipe_page() -> str:
    """The recipe's page as Markdown."""
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


def command_page() -> str:
    """The commands' page as Markdown."""
    root: Any = typer.main.get_command(app)
    shared = {name for name, _ in _options(root)}
    lines = [
        "# Commands",
        "",
        "This page is made by `python scripts/reference.py`. `luthier --install-completion` adds",
        "completion to the shell.",
        "",
        "## Everywhere",
        "",
        "These options may stand before the command or after it.",
        "",
        *_table(_options(root)),
    ]
    for name, command in _commands(root, "luthier"):
        own = [row for row in _options(command) if row[0] not in shared]
        about = " ".join((command.help or "").split())
        lines += [f"## {name}", "", about, "", *(_table(own) if own else [])]
    lines += [
        "## Exit codes",
        "",
        "0 is success, 70 a fault of Luthier itself.",
        "",
        *_table([(f"`{e.exit_code}`", _first_line(e)) for e in _errors()], "Code"),
    ]
    return "\n".join(lines)


def _commands(group: Any, name: str) -> list[tuple[str, Any]]:
    found = []
    for word, command in group.commands.items():
        path = f"{name} {word}"
        inner = getattr(command, "commands", None)
        found += _commands(command, path) if inner else [(path, command)]
    return found


def _options(command: Any) -> list[tuple[str, str]]:
    rows = []
    for option in command.params:
        words = ", ".join(f"`{word}`" for word in option.opts if word.startswith("-"))
        spelled = words or f"`{option.metavar or option.name.upper()}`"
        rows.append((spelled, (option.help or "").replace("\n", " ").replace("|", "\\|")))
    return [row for row in rows if "completion" not in row[0]]


def _table(rows: list[tuple[str, str]], head: str = "Word") -> list[str]:
    return [f"| {head} | What |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows), ""]


def _errors() -> list[type[LuthierError]]:
    return sorted(LuthierError.__subclasses__(), key=lambda error: error.exit_code)


def _first_line(error: type[LuthierError]) -> str:
    return (error.__doc__ or "").strip().split("\n")[0]


def main() -> int:
    """Writes the pages, or checks them."""
    pages = {FOLDER / "recipe.md": recipe_page(), FOLDER / "cli.md": command_page()}
    if "--check" in sys.argv:
        return int(any(not p.exists() or p.read_text("utf-8") != t for p, t in pages.items()))
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
