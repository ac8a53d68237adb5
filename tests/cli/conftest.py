"""Running the installed command, and fakes for what lies below it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of standard output."""
        return json.loads(self.out.strip().splitlines()[-1])


Luthier = Callable[..., Ended]


@pytest.fixture
def luthier(tmp_path: Path) -> Luthier:
    """Runs the installed `luthier` in a folder of its own."""
    command = Path(sys.executable).with_name("luthier")
    environment = os.environ | {
        "LUTHIER_HOME": str(tmp_path / "home"),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "OMP_NUM_THREADS": "1",
    }

    def run(*arguments: str, given: str | None = None) -> Ended:
        done = subprocess.run(
            [str(command), *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment,
            cwd=tmp_path,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            timeout=120,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A small labelled file."""
    path = tmp_path / "tickets.csv"
    subjects = ["the card", "my invoice", "this transfer", "a login"]
    lines = [
        f"please help me with {subject} number {n},{'billing' if n % 2 else 'access'}"
        for n in range(10)
        for subject in subjects
    ]
    path.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path
