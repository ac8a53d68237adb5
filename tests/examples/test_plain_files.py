"""Examples stay short, stand alone and run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f.stem)
def test_an_example_is_short_and_uses_no_luthier(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    tree = ast.parse(text)
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "luthier" not in imported
    about = ast.get_docstring(tree) or ""
    for part in ("What:", "Why:", "Source", f"python examples/{file.name}"):
        assert part in about


def test_an_example_runs_by_itself() -> None:
    file = next(f for f in EXAMPLES if f.stem == "paired_bootstrap")
    done = subprocess.run(
        [sys.executable, str(file)], check=True, capture_output=True, text=True, timeout=60
    )
    assert "difference +0.055  from +0.020 to +0.100" in done.stdout
