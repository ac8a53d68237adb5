"""A file of entries that is only ever added to, and shows when it was changed afterwards.

Each line is a JSON object. `previous` is the SHA-256 of the line before it, so no line can be
changed, moved or taken out unseen; `digest` is the SHA-256 of the line's other fields, so that
damage to the newest line shows too. Entries cut off at the end leave a sound, shorter journal:
who has to see that keeps `tip()` elsewhere and gives it to `verify`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from luthier.core.errors import RepairStore
from luthier.core.files import disk_errors
from luthier.store.entry import START, Entry, line_of, parse
from luthier.store.folders import sync_folder
from luthier.store.lock import locked

TORN = "journal.torn"
"""The kind of the entry that reports a torn line."""

_BLOCK = 1 << 16


class Journal:
    """An append-only, hash-chained file. Processes and threads may share it.

    A line that a crash tore is moved to `<name>.torn` by whoever opens the journal next, and
    an entry of the kind `journal.torn` says so.
    """

    def __init__(self, path: Path) -> None:
        """The file is made by the first entry."""
        self.path = path
        self.torn_path = path.with_name(path.name + ".torn")

    def append(self, kind: str, payload: dict[str, Any]) -> Entry:
        """The new last entry, after it is on disk.

        Raises: FreeDisk (earlier entries are untouched); RepairStore when the newest line is
        damaged; TypeError or ValueError for a payload that JSON cannot hold.
        """
        line_of(Entry(1, "", kind, payload, START))
        with disk_errors(self.path):
            self._make()
            with self._open() as file:
                self._mend(file)
                return self._add(file, kind, payload)

    def read(self) -> list[Entry]:
        """Every entry, the oldest first; none when there is no file.

        Raises: RepairStore naming the first broken line.
        """
        return list(self._entries())

    def verify(self, tip: str | None = None) -> int:
        """The number of entries, each of them checked, and the newest being that with `tip`.

        Raises: RepairStore naming the first broken line.
        """
        count, last = 0, START
        for entry in self._entries():
            count, last = entry.number, entry.line_hash
        if tip is not None and tip != last:
            raise RepairStore(
                str(self.path),
                f"its last line {count} is not the expected one",
                f"the line with the hash {tip}",
                "restore the file from a copy",
            )
        return count

    def tip(self) -> str:
        """The SHA-256 of the last line, or 64 zeros."""
        entries = self.read()
        return entries[-1].line_hash if entries else START

    def _make(self) -> None:
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        sync_folder(self.path.parent)

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        with self.path.open("r+b", buffering=0) as file, locked(file):
            yield file

    def _entries(self) -> Iterator[Entry]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            # Only a torn line needs the right to write, so a sound copy is read anywhere.
            with locked(file):
                end = _end_of_lines(file)
                whole = end == file.seek(0, os.SEEK_END)
            if not whole:
                with disk_errors(self.path), self._open() as writable:
                    self._mend(writable)
                    end = _end_of_lines(writable)
            file.seek(0)
            number, previous = 0, START
            while file.tell() < end:
                number += 1
                entry = parse(file.readline(), self.path, number, previous)
                previous = entry.line_hash
                yield entry

    def _mend(self, file: IO[bytes]) -> None:
        """Moves what stands behind the last whole line away, and reports it in its place.

        The report is written over the torn bytes before they are cut off, so that at every
        moment either the bytes or their report are in the file.
        """
        end = _end_of_lines(file)
        size = file.seek(0, os.SEEK_END)
        if size == end:
            return
        file.seek(end)
        torn = _read(file, size - end)
        digest = hashlib.sha256(torn).hexdigest()
        facts = {"bytes": len(torn), "sha256": digest, "moved_to": self.torn_path.name}
        report = line_of(self._next(file, TORN, facts))
        with self.torn_path.open("ab") as kept:
            kept.write(torn + b"\n")
            kept.flush()
            os.fsync(kept.fileno())
        sync_folder(self.path.parent)
        self._write(file, end, report, None)

    def _add(self, file: IO[bytes], kind: str, payload: dict[str, Any]) -> Entry:
        line = line_of(self._next(file, kind, payload))
        end = file.seek(0, os.SEEK_END)
        self._write(file, end, line, end)
        return parse(line, self.path, None, None)

    def _next(self, file: IO[bytes], kind: str, payload: dict[str, Any]) -> Entry:
        number, previous = 1, START
        line = _last_line(file)
        if line:
            last = parse(line, self.path, None, None)
            number, previous = last.number + 1, last.line_hash
        return Entry(number, datetime.now(UTC).isoformat(), kind, payload, previous)

    def _write(self, file: IO[bytes], place: int, line: bytes, undo: int | None) -> None:
        try:
            file.seek(place)
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) :]
            file.truncate(place + len(line))
            os.fsync(file.fileno())
        except OSError:
            if undo is not None:
                file.truncate(undo)
            raise


def _read(file: IO[bytes], size: int) -> bytes:
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _newline_before(file: IO[bytes], end: int) -> int:
    """The place of the last newline before `end`, or -1."""
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = _read(file, end - start).rfind(b"\n")
        if found >= 0:
            return start + found
        end = start
    return -1


def _end_of_lines(file: IO[bytes]) -> int:
    """Where the whole lines end, in bytes."""
    return _newline_before(file, file.seek(0, os.SEEK_END)) + 1


def _last_line(file: IO[bytes]) -> bytes:
    end = _end_of_lines(file)
    if end == 0:
        return b""
    start = _newline_before(file, end - 1) + 1
    file.seek(start)
    return _read(file, end - start)
