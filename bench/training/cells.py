"""Finished cells of a bench, a line each in a file that is committed: any machine can go on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ledger import commit


class Cells:
    """Cells by name; `file` holds a JSON object a line, whose `cell` is the name.

    Numbers only: a cell never holds texts of a data set.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> dict[str, dict[str, Any]]:
        """Every cell, the last one of a name. A line that was cut off while writing is left out."""
        if not self._file.is_file():
            return {}
        found: dict[str, dict[str, Any]] = {}
        for line in self._file.read_text(encoding="utf-8").splitlines():
            try:
                cell = json.loads(line)
            except ValueError:
                continue
            found[cell.pop("cell")] = cell
        return found

    def get(self, name: str) -> dict[str, Any] | None:
        """The cell of this name, or None."""
        return self.all().get(name)

    def keep(self, name: str, cell: dict[str, Any]) -> None:
        """Appends the cell in one write, with the version of the code it was made by."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"cell": name, "commit": commit()} | cell) + "\n"
        place = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(place, line.encode("utf-8"))
        finally:
            os.close(place)
