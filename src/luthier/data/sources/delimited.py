"""CSV and TSV: a header, then rows of as many cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from luthier.core.errors import FixData
from luthier.data.mappings.names import KNOWN, plain
from luthier.data.sources.encoding import open_text

_LOOKED_AT = 65536
_PEEKED_ROWS = 200
_CELL_LIMIT = 2**31 - 1


class Delimited:
    """Rows of a CSV or TSV file; the row number counts data rows, the header not included."""

    def __init__(
        self, path: Path, place: str, delimiter: str | None = None, encoding: str | None = None
    ) -> None:
        self.path, self.place = path, place
        self._delimiter, self._encoding = delimiter, encoding

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Row number and cells by column name, one row at a time.

        Raises: FixData for a broken header, a ragged row or a broken quote.
        """
        csv.field_size_limit(_CELL_LIMIT)
        delimiter = self._delimiter or self._guess()
        with open_text(self.path, self._encoding) as file:
            reader = csv.reader(_no_mark(file), delimiter=delimiter, strict=True)
            header = self._header(reader)
            number = 0
            peeked: list[list[str]] = []
            for cells in self._cells(reader):
                number += 1
                if len(cells) != len(header):
                    raise self._ragged(number, reader.line_num, len(cells), header)
                if number <= _PEEKED_ROWS:
                    peeked.append(cells)
                    if number == _PEEKED_ROWS:
                        self._check_header(header, peeked)
                yield number, dict(zip(header, cells, strict=True))
            if number < _PEEKED_ROWS:
                self._check_header(header, peeked)

    def _guess(self) -> str:
        with open_text(self.path, self._encoding) as file:
            first = file.read(_LOOKED_AT).lstrip("\ufeff\r\n").split("\n", 1)[0]
        outside = "".join(first.split('"')[::2])
        counts = {mark: outside.count(mark) for mark in (",", ";", "\t", "|")}
        best = max(counts, key=lambda mark: counts[mark])
        return best if counts[best] else ","

    def _cells(self, reader: Any) -> Iterator[list[str]]:
        try:
            for cells in reader:
                if cells:
                    yield cells
        except csv.Error as error:
            raise FixData(
                f"{self.place}, line {reader.line_num}",
                f"the quotes do not match ({error})",
                'A cell with the separator, a quote or a line end stands in "…", quotes doubled',
                "look for a quote that is opened and never closed",
            ) from error

    def _header(self, reader: Any) -> list[str]:
        header = next(self._cells(reader), None)
        if header is None:
            raise FixData(self.place, "the file is empty", advice="give a file with rows")
        names = [name.strip() for name in header]
        empty = [i + 1 for i, name in enumerate(names) if not name]
        if empty and len(empty) == 1 and empty[0] == 1 and len(names) > 1:
            # pandas writes its index as a first column without a name
            names[0], empty = "index", []
        if empty:
            raise FixData(
                f"{self.place}, line 1",
                f"column {empty[0]} has no name",
                "The first line names every column",
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise FixData(
                f"{self.place}, line 1",
                f"two columns are called {twice[0]!r}",
                "Every column has a name of its own",
                "add a header line, or rename one of them",
            )
        if not _known(names) and any(_like_data(name) for name in names):
            raise self._headless(names)
        return names

    def _check_header(self, header: list[str], rows: list[list[str]]) -> None:
        """A first line whose words come back below as values is data, not a header."""
        if _known(header) or len(rows) < 2:
            return
        for column, name in enumerate(header):
            values = [cells[column].strip() for cells in rows]
            if values.count(name) >= 2:
                raise self._headless(header)

    def _headless(self, names: list[str]) -> FixData:
        shown = ", ".join(name if len(name) <= 40 else name[:37] + "..." for name in names)
        return FixData(
            f"{self.place}, line 1",
            f"the header is missing: the first line looks like data ({shown})",
            "The first line names the columns",
            "put a line such as text,label on top",
        )

    def _ragged(self, number: int, line: int, found: int, header: list[str]) -> FixData:
        return FixData(
            f"{self.place}, row {number} (line {line})",
            f"{found} cells where the header has {len(header)}",
            f"Columns: {', '.join(header)}",
            'put cells that hold the separator or a line end in quotes "…"',
        )


def _no_mark(file: TextIO) -> Iterator[str]:
    first = True
    for line in file:
        yield line.removeprefix("\ufeff") if first else line
        first = False


def _known(names: list[str]) -> bool:
    return any(plain(name) in KNOWN for name in names)


def _like_data(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return len(name.split()) > 6 or len(name) > 80
    return True
