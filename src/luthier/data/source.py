"""Where rows come from: the protocol, the door to its members, and the content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from luthier.core.errors import FixData
from luthier.core.hashing import hash_file, hash_value
from luthier.core.types import RowNumber, file_of
from luthier.data.sources.columnar import Columnar
from luthier.data.sources.delimited import Delimited
from luthier.data.sources.hub import Hub, HubName, pinned
from luthier.data.sources.json_array import JsonArray
from luthier.data.sources.json_lines import JsonLines
from luthier.data.sources.location import Format, Location, is_hub, locate, split_names
from luthier.data.sources.text_files import TextFile, TextFolder

__all__ = ["Source", "fingerprint", "open_source", "pin", "split_names"]


class Source(Protocol):
    """Rows that can be read more than once, one at a time."""

    place: str

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """1-based row number within its file (see `RowNumber`) and values by column name."""


def open_source(
    location: str,
    base: Path | None = None,
    format: str = "auto",
    split: str | None = None,
    encoding: str | None = None,
) -> Source:
    """The rows behind `data.train` and its like.

    `location` is a file (CSV, TSV, JSON, JSON Lines, Parquet, Arrow, text; also `.gz`), a folder
    of texts, a data set folder, `owner/name[:config]` on the hub, or `starter:<name>`. Relative
    paths start at `base`. Of a folder with splits, `split` is read; without it, `train`.

    Raises: FixData when nothing readable is there, FixRecipe for a bad format or encoding.
    """
    found = locate(location, base, format, split)
    if found.format is Format.HUB:
        return _Rows(Hub(found.hub, split))
    if found.format is Format.FOLDER:
        return _Rows(TextFolder(found.paths[0], found.paths[1:], encoding))
    if found.format in (Format.PARQUET, Format.ARROW):
        return _Rows(Columnar(found.paths, found.place))
    members = [_text_source(path, found, encoding) for path in found.paths]
    return _Rows(members[0] if len(members) == 1 else _Chain(found.place, members))


def pin(location: str, base: Path | None = None, format: str = "auto") -> str:
    """A location that gives the same rows for ever, as far as that can be said.

    A data set of the hub gets its present commit; a file or folder comes back as it is.

    Raises: FixData when the hub does not tell.
    """
    return pinned(location) if is_hub(location, base, format) else location


def fingerprint(location: str, base: Path | None = None, split: str | None = None) -> str:
    """SHA-256 of the bytes `open_source` would read, whatever the folder they lie in.

    For the hub, of the data set's name and commit: that of the location, else the present one.

    Raises: FixData when nothing is there or the hub cannot be asked.
    """
    found = locate(location, base, "auto", split)
    if found.format is Format.HUB:
        exact = HubName.parse(pinned(found.hub))
        name = str(HubName(exact.name, None, exact.config))
        return hash_value({"hub": name, "split": split, "revision": exact.revision})
    files = [path for path in found.paths if path.is_file()]
    if len(files) == 1:
        return hash_file(files[0])
    root = found.paths[0] if found.paths[0].is_dir() else found.paths[0].parent
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(root)}\0{hash_file(path)}".encode())
    return digest.hexdigest()


def _text_source(path: Path, found: Location, encoding: str | None) -> Source:
    place = found.place if len(found.paths) == 1 else f"{path.parent.name}/{path.name}"
    match found.format:
        case Format.CSV:
            return Delimited(path, place, None, encoding)
        case Format.TSV:
            return Delimited(path, place, "\t", encoding)
        case Format.JSON:
            return JsonArray(path, place, encoding)
        case Format.JSONL:
            return JsonLines(path, place, encoding)
        case _:
            return TextFile(path, place, encoding)


class _Chain:
    """Several files read one after the other, the rows of each numbered from 1."""

    def __init__(self, place: str, members: list[Source]) -> None:
        self.place, self._members = place, members

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for member in self._members:
            for number, row in member.rows():
                yield RowNumber(number, member.place), row


class _Rows:
    """A source that has at least one row, and whose row numbers know their file."""

    def __init__(self, source: Source) -> None:
        self.place, self._source = source.place, source

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        found = False
        for number, row in self._source.rows():
            found = True
            yield RowNumber(number, file_of(number) or self.place), row
        if not found:
            raise FixData(self.place, "there are no rows", advice="give a file with rows")
