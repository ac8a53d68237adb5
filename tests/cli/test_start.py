"""The command starts at once: nothing heavy is imported for help or a mistyped key."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import luthier as package

HEAVY = [
    "torch", "transformers", "peft", "numpy", "scipy", "sklearn", "pyarrow", "sqlalchemy",
    "alembic", "pydantic", "ruamel", "rich", "jinja2", "psutil",
]  # fmt: skip
TENSORS = ["torch", "transformers", "peft", "sklearn", "pyarrow"]

LIST = """
import json, sys
{code}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def imported_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LIST.format(code=code)], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["runs", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
from luthier.cli.main import app
try:
    app({arguments!r})
except SystemExit as end:
    assert end.code == 0
"""
    loaded = imported_by(code)
    assert "typer" in loaded
    # Typer itself loads pydantic to describe the parameters of a verb.
    own = set(HEAVY) if arguments == ["--help"] else set(HEAVY) - {"pydantic"}
    assert loaded.isdisjoint(own)


def test_recipe_errors_import_no_tensors() -> None:
    code = """
from luthier.recipe import recipe_from_dict
from luthier.core.errors import FixRecipe
try:
    recipe_from_dict({"dta": {}})
except FixRecipe:
    pass
"""
    assert imported_by(code).isdisjoint(TENSORS)


def test_version(luthier) -> None:
    assert luthier("--version").out.strip() == package.__version__


def test_no_verb_shows_help(luthier) -> None:
    ended = luthier()
    assert "Commands:" in ended.out + ended.err


def test_unknown_verb_is_refused(luthier) -> None:
    ended = luthier("rnu")
    assert ended.code == 2 and "rnu" in ended.err
