"""Canonical rows on disk: one memory-mapped Arrow file per data set."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.core.errors import FixData
from luthier.core.files import disk_errors
from luthier.core.types import RowNumber, Task, file_of
from luthier.data.mappings.text import input_text, whole_text

_ROWS_PER_BATCH = 1024
_CHARACTERS_PER_BATCH = 1 << 24
_TEXT, _NAMES, _JSON = pa.large_string(), pa.list_(pa.large_string()), "json"
_COLUMNS: dict[Task, dict[str, Any]] = {
    Task.CLASSIFY: {"text": _TEXT, "label": _TEXT},
    Task.MULTILABEL: {"text": _TEXT, "labels": _NAMES},
    Task.REGRESS: {"text": _TEXT, "label": pa.float64()},
    Task.TAG: {"text": _TEXT, "spans": _JSON},
    Task.INSTRUCT: {"messages": _JSON},
    Task.ADAPT: {"text": _TEXT},
    Task.PREFER: {"messages": _JSON, "chosen": _TEXT, "rejected": _TEXT},
}
_OPTIONAL: dict[str, Any] = {"group": _TEXT, "weight": pa.float64(), "identity": _TEXT}
_SOURCE_ROW, _FILE = "_row", "_file"


class Table:
    """Rows that can be read at any place without being held in memory.

    Each row has the canonical fields of its task (`luthier.core.types.FIELDS`), and `group`,
    `weight` and `identity` where it came with them.
    """

    def __init__(self, arrow: Any, task: Task) -> None:
        self.task = task
        self._arrow = arrow
        self._json = tuple(name for name, kind in _COLUMNS[task].items() if kind is _JSON)

    @staticmethod
    def write(rows: Iterable[tuple[int, dict[str, Any]]], path: Path, task: Task) -> Table:
        """Writes rows batch by batch and opens the result; `path` appears whole or not at all.

        Raises: FixData when there are no rows, FreeDisk when the disk is full.
        """
        schema = _schema(task)
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
            try:
                with temporary.open("wb") as file:
                    with pa.ipc.new_file(file, schema) as writer:
                        count = _write_all(rows, writer, schema)
                    file.flush()
                    os.fsync(file.fileno())
                if not count:
                    raise FixData(path.name, "there are no rows", advice="check the data file")
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        return Table.open(path)

    @staticmethod
    def empty(task: Task) -> Table:
        """A table without rows, held in memory."""
        return Table(_schema(task).empty_table(), task)

    @staticmethod
    def open(path: Path) -> Table:
        """The table at `path`, mapped into memory.

        Raises: FixData when the file is missing or no table.
        """
        try:
            arrow = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            task = Task((arrow.schema.metadata or {})[b"luthier.task"].decode())
        except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
            raise FixData(
                str(path), "this is not a prepared data table", advice="prepare the data again"
            ) from error
        return Table(arrow, task)

    def __len__(self) -> int:
        return int(self._arrow.num_rows)

    def row(self, i: int) -> dict[str, Any]:
        """The canonical row at `i`.

        Raises: IndexError outside the table.
        """
        if not 0 <= i < len(self):
            raise IndexError(f"row {i} of a table of {len(self)}")
        return next(self._decoded(self._arrow.slice(i, 1)))

    def slice(self, start: int, stop: int) -> Table:
        """The rows from `start` up to `stop` as a table of their own; nothing is copied."""
        return Table(self._arrow.slice(start, stop - start), self.task)

    def column(self, name: str) -> list[Any]:
        """All values of a canonical field, `group`, `weight` or `identity`; None where absent.

        Raises: KeyError for a field this task does not have.
        """
        values = self._arrow.column(name).to_pylist()
        return [json.loads(value) for value in values] if name in self._json else values

    def take(self, indices: Sequence[int] | np.ndarray) -> Iterator[dict[str, Any]]:
        """The rows at `indices`, in their order, one block in memory at a time."""
        wanted = np.asarray(indices, dtype=np.int64)
        for start in range(0, len(wanted), _ROWS_PER_BATCH):
            yield from self._decoded(self._arrow.take(wanted[start : start + _ROWS_PER_BATCH]))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row, one batch in memory at a time."""
        for batch in self._arrow.to_batches(max_chunksize=_ROWS_PER_BATCH):
            yield from self._decoded(batch)

    def source_row(self, i: int) -> int:
        """The 1-based row number of row `i` in the file it came from, which it knows."""
        number = int(self._arrow.column(_SOURCE_ROW)[i].as_py())
        file = self._arrow.column(_FILE)[i].as_py()
        return number if file is None else RowNumber(number, file)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the rows came from, in order, where that is known."""
        return tuple(f for f in self._arrow.column(_FILE).unique().to_pylist() if f is not None)

    def source_rows(self) -> np.ndarray:
        """The source row numbers of all rows, int64 (N,)."""
        return np.asarray(self._arrow.column(_SOURCE_ROW), dtype=np.int64)

    def text(self, i: int) -> str:
        """The plain text of row `i`, input and answer, whatever the task."""
        return whole_text(self.task, self.row(i))

    def input_text(self, i: int) -> str:
        """The plain text of what the model is given in row `i`, without the answer."""
        return input_text(self.task, self.row(i))

    def texts(self, indices: Sequence[int] | np.ndarray) -> Iterator[str]:
        """`text` of the rows at `indices`, in their order."""
        return (whole_text(self.task, row) for row in self.take(indices))

    def _decoded(self, part: Any) -> Iterator[dict[str, Any]]:
        names = [name for name in part.schema.names if name not in (_SOURCE_ROW, _FILE)]
        for row in part.select(names).to_pylist():
            for name in self._json:
                row[name] = json.loads(row[name])
            for name in _OPTIONAL:
                if row[name] is None:
                    del row[name]
            yield row


def _schema(task: Task) -> Any:
    columns = {name: _TEXT if kind is _JSON else kind for name, kind in _COLUMNS[task].items()}
    origin = [pa.field(_SOURCE_ROW, pa.int64()), pa.field(_FILE, pa.string())]
    fields = [*origin, *(columns | _OPTIONAL).items()]
    return pa.schema(fields, metadata={b"luthier.task": task.value.encode()})


def _write_all(rows: Iterable[tuple[int, dict[str, Any]]], writer: Any, schema: Any) -> int:
    held: list[dict[str, Any]] = []
    count = size = 0
    for number, row in rows:
        held.append(_encoded(number, row, schema))
        size += sum(len(value) for value in held[-1].values() if isinstance(value, str))
        count += 1
        if len(held) >= _ROWS_PER_BATCH or size >= _CHARACTERS_PER_BATCH:
            writer.write_batch(pa.RecordBatch.from_pylist(held, schema=schema))
            held, size = [], 0
    if held:
        writer.write_batch(pa.RecordBatch.from_pylist(held, schema=schema))
    return count


def _encoded(number: int, row: dict[str, Any], schema: Any) -> dict[str, Any]:
    unknown = row.keys() - set(schema.names)
    if unknown:
        raise ValueError(f"fields {sorted(unknown)} are not those of the task")
    values = {
        name: json.dumps(value) if name in ("messages", "spans") else value
        for name, value in row.items()
    }
    return values | {_SOURCE_ROW: number, _FILE: file_of(number) or None}
