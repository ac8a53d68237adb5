"""The help of every verb, word for word. `LUTHIER_WRITE_GOLDEN=1` writes the files anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "help"
VERBS = [
    "", "init", "plan", "run", "tune", "predict", "eval", "doctor", "schema", "runs",
    "runs list", "runs show", "runs compare", "runs resume", "runs merge",
    "runs delete", "runs tidy", "attack", "audit", "repair", "explain", "label", "runs budget",
    "data", "data screen",
]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_as_agreed(verb: str) -> None:
    command = [str(Path(sys.executable).with_name("luthier")), *verb.split(), "--help"]
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    path = FOLDER / f"{verb.replace(' ', '-') or 'luthier'}.txt"
    if os.environ.get("LUTHIER_WRITE_GOLDEN"):
        path.write_text(done.stdout, encoding="utf-8")
    assert done.stdout == path.read_text(encoding="utf-8")
