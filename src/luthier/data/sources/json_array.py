"""One JSON document: a list of objects, or an object that holds such a list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from luthier.core.errors import FixData
from luthier.data.sources.encoding import open_text
from luthier.data.sources.json_lines import JsonLines, as_row, broken_json

_CHUNK = 1 << 16
_HOLDERS = ("data", "rows", "examples", "records", "items", "instances")
_LONGEST_WORD = 32
_SPACE = " \t\r\n\ufeff"


class JsonArray:
    """Rows of a JSON document, read piece by piece; the row number counts the elements.

    A file that is really JSON Lines under the name `.json` is read as such.
    """

    def __init__(self, path: Path, place: str, encoding: str | None = None) -> None:
        self.path, self.place, self._encoding = path, place, encoding

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Element number and object, one at a time.

        Raises: FixData for broken JSON (line) or a document without a list of rows.
        """
        with open_text(self.path, self._encoding) as file:
            text = _Scanner(file, self.place)
            bare = text.peek() == "["
            if self._enter(text):
                yield from self._elements(text)
                if bare and text.peek():
                    raise text.fault("there is more after the end of the list")
                return
        yield from JsonLines(self.path, self.place, self._encoding).rows()

    def _elements(self, text: _Scanner) -> Iterator[tuple[int, dict[str, Any]]]:
        number = 0
        while text.peek() != "]":
            number += 1
            yield number, as_row(text.value(), f"{self.place}, row {number}")
            if text.peek() == ",":
                text.skip(",")
            elif text.peek() != "]":
                raise text.fault("a comma or a closing bracket is missing")
        text.skip("]")

    def _enter(self, text: _Scanner) -> bool:
        """Moves to the first element of the list of rows; False when the file is JSON Lines.

        Raises: FixData when it is neither.
        """
        if text.peek() == "":
            raise FixData(self.place, "the file is empty", advice="give a file with rows")
        if text.peek() == "[":
            text.skip("[")
            return True
        if text.peek() == "{":
            line = text.line
            if self._find(text):
                return True
            if text.line == line:
                return False
        raise FixData(
            self.place,
            "there is no list of rows",
            f"Allowed: a list of objects, or an object with such a list under one of "
            f"{', '.join(_HOLDERS)}",
        )

    def _find(self, text: _Scanner) -> bool:
        """Moves into the list of rows that an object holds; past the object when it has none."""
        text.skip("{")
        while text.peek() == '"':
            key = text.value()
            text.skip(":")
            if key in _HOLDERS and text.peek() == "[":
                text.skip("[")
                if text.peek() in "{]":
                    return True
                # a row of JSON Lines may have a list of its own under such a name
                while text.peek() not in ("]", ""):
                    text.value()
                    if text.peek() == ",":
                        text.skip(",")
                text.skip("]")
            else:
                text.value()
            if text.peek() == ",":
                text.skip(",")
        text.skip("}")
        return False


class _Scanner:
    """JSON values from a file, with a window as large as the largest value."""

    def __init__(self, file: TextIO, place: str) -> None:
        self._file, self._place = file, place
        self._window, self._at, self._line = "", 0, 1
        self._ended = False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is not white space, or "" at the end."""
        while True:
            while self._at < len(self._window) and self._window[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._read():
                return ""

    @property
    def line(self) -> int:
        """The number of the line reached."""
        return self._line + self._window.count("\n", 0, self._at)

    def skip(self, mark: str) -> None:
        """Passes over one expected character."""
        if self.peek() != mark:
            raise self.fault(f"{mark!r} is missing")
        self._at += 1

    def value(self) -> Any:
        """The next JSON value; the window grows until the value is complete."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                if self._broken(error) or not self._read():
                    raise broken_json(self._where(error.pos), error) from error
                continue
            except (RecursionError, ValueError) as error:
                raise broken_json(self._where(self._at), error) from error
            # a number at the edge of the window may go on in the next piece
            if end < len(self._window) or self._ended or not self._read():
                self._at = end
                return value

    def _broken(self, error: json.JSONDecodeError) -> bool:
        """Whether more text cannot help: the fault is not at the edge of the window."""
        unended = error.msg.startswith("Unterminated string")
        return not unended and error.pos < len(self._window) - _LONGEST_WORD

    def fault(self, met: str) -> FixData:
        """The error for a document that breaks here."""
        return FixData(self._where(self._at), met, advice="check that the file is whole")

    def _where(self, position: int) -> str:
        return f"{self._place}, line {self._line + self._window.count(chr(10), 0, position)}"

    def _read(self) -> bool:
        """Appends as much as is still unread in the window, so that growth stays linear."""
        self._line += self._window.count("\n", 0, self._at)
        self._window = self._window[self._at :]
        self._at = 0
        piece = self._file.read(max(_CHUNK, len(self._window)))
        self._window += piece
        self._ended = not piece
        return bool(piece)
