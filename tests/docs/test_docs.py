"""What the documentation says is what the code does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from luthier.cli.main import app
from luthier.recipe.load import parse_yaml, recipe_from_dict

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


RECIPES = [(page.name, text) for page in PAGES for text in _blocks(page, "yaml")]
COMMANDS = sorted(
    {
        line.split("  #")[0].strip()
        for page in PAGES
        for block in _blocks(page, "")
        for line in block.splitlines()
        if line.startswith("luthier ")
    }
)


@pytest.mark.parametrize(("page", "text"), RECIPES)
def test_every_recipe_is_valid(page: str, text: str) -> None:
    assert recipe_from_dict(parse_yaml(text, page), page).data.train


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    command: Any = typer.main.get_command(app)
    context = command.make_context("luthier", words)
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        assert rest[0] in command.commands, f"{line}: {rest[0]} is no command"
        command = command.commands[rest[0]]
        # Parsing refuses unknown options, missing arguments and surplus ones.
        context = command.make_context(rest[0], rest[1:], parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_reference_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "reference.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "python scripts/reference.py"
