"""JSON Lines: one object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luthier.core.errors import FixData
from luthier.data.sources.encoding import open_text


class JsonLines:
    """Rows of a JSON Lines file; the row number is the line number. Blank lines are skipped."""

    def __init__(self, path: Path, place: str, encoding: str | None = None) -> None:
        self.path, self.place, self._encoding = path, place, encoding

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line number and object, one at a time.

        Raises: FixData for a line that is no JSON object.
        """
        with open_text(self.path, self._encoding) as file:
            for number, line in enumerate(_lines(file), start=1):
                if line.strip():
                    yield number, self._object(number, line)

    def _object(self, number: int, line: str) -> dict[str, Any]:
        try:
            value = json.loads(line.removeprefix("\ufeff"))
        except (ValueError, RecursionError) as error:
            raise broken_json(f"{self.place}, line {number}", error) from error
        return as_row(value, f"{self.place}, line {number}")


def _lines(file: Any) -> Iterator[str]:
    """Lines ended by `\\n` only: a bare carriage return may stand between JSON tokens."""
    held: list[str] = []
    for piece in file:
        held.append(piece)
        if piece.endswith("\n"):
            yield "".join(held)
            held.clear()
    if held:
        yield "".join(held)


def broken_json(place: str, error: Exception) -> FixData:
    """The error for text that is no JSON, with the column where it stops making sense."""
    if isinstance(error, json.JSONDecodeError):
        met = f"the JSON is broken at column {error.colno} ({error.msg})"
    elif isinstance(error, RecursionError):
        met = "the JSON is nested too deeply"
    else:
        met = f"the JSON holds a value that cannot be read ({error})"
    return FixData(place, met, "Allowed: one JSON object per row", "fix or remove this row")


def as_row(value: Any, place: str) -> dict[str, Any]:
    """The value, when it is an object.

    Raises: FixData for any other JSON value.
    """
    if not isinstance(value, dict):
        raise FixData(
            place,
            f"a JSON {_kind(value)} stands where a row should be",
            'A row is an object such as {"text": "...", "label": "..."}',
        )
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "value")
