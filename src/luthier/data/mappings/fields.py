"""Reading one cell of a row, with errors that name file, row and column."""

from __future__ import annotations

import ast
import json
import math
from dataclasses import dataclass
from typing import Any

from luthier.core.errors import FixData, nearest

NULL = (None, "")


@dataclass(frozen=True)
class Cells:
    """A row of a file with its place, so that every refusal can name it."""

    row: dict[str, Any]
    place: str
    number: int

    def refuse(self, met: str, allowed: str = "", advice: str = "") -> FixData:
        """The error for this row."""
        return FixData(f"{self.place}, row {self.number}", met, allowed, advice)

    def value(self, column: str) -> Any:
        """The value of a column.

        Raises: FixData for a column the row does not have, with the nearest one.
        """
        if column in self.row:
            return self.row[column]
        near = nearest(column, self.row)
        raise self.refuse(
            f"the column {column!r} is missing",
            f"Columns here: {', '.join(self.row)}",
            f"Did you mean {near!r}?" if near else "set data.columns",
        )

    def text(self, column: str) -> str:
        """The text of a column, which may be empty; numbers become their digits.

        Raises: FixData for a list or object, or text that no encoding can hold.
        """
        value = self.value(column)
        if value is None:
            return ""
        if isinstance(value, list | dict | bytes):
            raise self.refuse(
                f"the column {column!r} holds a {_kind(value)} where text should be",
                advice="set data.columns or task to what the column holds",
            )
        return self.sound(str(value), column)

    def filled(self, column: str) -> str:
        """The text of a column that may not be empty.

        Raises: FixData as `text`, and for nothing but white space.
        """
        text = self.text(column)
        if not text.strip():
            raise self.refuse(
                f"the column {column!r} is empty", "Text is needed", "fill or remove the row"
            )
        return text

    def sound(self, text: str, column: str) -> str:
        """The text itself.

        Raises: FixData for half a surrogate pair, which UTF-8 cannot hold.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self.refuse(
                f"the column {column!r} holds half a surrogate pair at character {error.start}",
                advice="write the file again with whole characters",
            ) from error
        return text

    def number_in(self, column: str) -> float:
        """A finite number.

        Raises: FixData for anything else.
        """
        value = self.value(column)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if isinstance(value, bool) or not math.isfinite(number):
            raise self.refuse(
                f"the column {column!r} holds {_short(value)}, which is not a finite number",
                "Allowed: numbers such as 3 or 0.25",
            )
        return number

    def listed(self, column: str) -> list[Any] | None:
        """The list in a column, also when written as JSON or Python text; None for other text.

        An empty cell is None.
        """
        value = self.value(column)
        if isinstance(value, str):
            value = parsed(value)
        return value if isinstance(value, list) else None


def parsed(text: str) -> Any:
    """The list or object that a cell spells out in JSON or Python notation, else None."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def label_text(value: Any) -> str:
    """A class as its name: 3, 3.0 and "3" are the same class, true is `true`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "list"
    return "object" if isinstance(value, dict) else "run of bytes"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
