"""Rows of a JSON Lines file."""

from __future__ import annotations

import json
from pathlib import Path


def rows_of(file: str) -> list[dict[str, str]]:
    """All of them."""
    lines = Path(file).read_text(encoding="utf-8").strip("\n").split("\n")
    return [json.loads(line) for line in lines]
