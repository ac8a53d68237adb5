"""Text from bytes: plain or gzipped, UTF-8 unless a byte order mark or the recipe says more."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO, cast

from luthier.core.errors import FixData, FixRecipe

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 16


@contextmanager
def open_text(path: Path, encoding: str | None = None) -> Iterator[TextIO]:
    """The decoded text of a file, line ends untouched.

    Raises: FixData for bytes that do not fit the encoding (byte offset and line) or a broken
    archive, FixRecipe for an unknown encoding.
    """
    name = _encoding(path, encoding)
    try:
        with _open_bytes(path) as raw:
            yield io.TextIOWrapper(raw, encoding=name, newline="")
    except UnicodeError as error:
        raise _undecodable(path, name) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FixData(
            path.name, f"the gzip archive is broken ({error})", advice="copy the file again"
        ) from error


def _open_bytes(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _encoding(path: Path, encoding: str | None) -> str:
    named = _named(encoding or "utf-8")
    if named != "utf-8":
        return named
    try:
        with _open_bytes(path) as raw:
            head = raw.read(4096)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FixData(path.name, f"the gzip archive is broken ({error})") from error
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        raise FixData(
            path.name,
            f"byte {head.index(0)} is zero, so this is no UTF-8 text",
            "Allowed: UTF-8, or UTF-16 that starts with a byte order mark",
            "save the file as UTF-8 or set data.encoding, for example to utf-16-le",
        )
    return "utf-8"


def _named(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise FixRecipe(
            "data.encoding",
            f"{encoding!r} is not an encoding",
            "Allowed: the names Python knows, such as utf-8, cp1252, latin-1, utf-16",
        ) from None


def _undecodable(path: Path, encoding: str) -> FixData:
    offset, line = _first_fault(path, encoding)
    shown = "UTF-8" if encoding in ("utf-8", "utf-8-sig") else encoding
    return FixData(
        f"{path.name}, line {line}",
        f"the byte at offset {offset} is not {shown}",
        "Allowed: UTF-8, UTF-16 with a byte order mark, or the encoding named by data.encoding",
        "save the file as UTF-8 or set data.encoding, for example to cp1252",
    )


def _first_fault(path: Path, encoding: str) -> tuple[int, int]:
    """Byte offset and line of the first undecodable byte, found in a second pass."""
    decoder = codecs.getincrementaldecoder(encoding)()
    read = pending = lines = 0
    with _open_bytes(path) as raw:
        while True:
            chunk = raw.read(_CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(encoding, "ignore")
                return read - pending + error.start, lines + good.count("\n") + 1
            except UnicodeError:
                return read, lines + 1
            lines += text.count("\n")
            read += len(chunk)
            pending = len(decoder.getstate()[0])
            if not chunk:
                return read, lines + 1
