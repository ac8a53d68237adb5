"""Parquet and Arrow files, read in batches; class numbers become class names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.core.errors import FixData
from luthier.core.types import RowNumber

_BATCH = 1024
Names = Mapping[str, list[str]]


class Columnar:
    """Rows of Parquet or Arrow files, those of each file numbered from 1."""

    def __init__(self, paths: tuple[Path, ...], place: str) -> None:
        self.paths, self.place = paths, place

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Row number and values by column, one batch in memory at a time.

        Raises: FixData for a file that is not what its ending says.
        """
        for path in self.paths:
            alone = len(self.paths) == 1
            place = self.place if alone else f"{path.parent.name}/{path.name}"
            for number, row in enumerate(self._file(path), start=1):
                yield RowNumber(number, place), row

    def _file(self, path: Path) -> Iterator[dict[str, Any]]:
        try:
            if ".parquet" in path.suffixes:
                with pq.ParquetFile(path) as file:
                    names = class_names(file.schema_arrow)
                    for batch in file.iter_batches(batch_size=_BATCH):
                        yield from named(batch.to_pylist(), names)
            else:
                with pa.memory_map(str(path)) as mapped:
                    reader = _arrow(mapped)
                    names = class_names(reader.schema)
                    for batch in _batches(reader):
                        yield from named(batch.to_pylist(), names)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise FixData(
                self.place,
                f"{path.name} is not a whole {path.suffix} file ({str(error)[:120]})",
                advice="copy the file again or set data.format",
            ) from error


def _arrow(mapped: Any) -> Any:
    try:
        return pa.ipc.open_file(mapped)
    except pa.ArrowInvalid:
        mapped.seek(0)
        return pa.ipc.open_stream(mapped)


def _batches(reader: Any) -> Iterator[Any]:
    if isinstance(reader, pa.RecordBatchFileReader):
        for index in range(reader.num_record_batches):
            yield from _pieces(reader.get_batch(index))
    else:
        for batch in reader:
            yield from _pieces(batch)


def _pieces(batch: Any) -> Iterator[Any]:
    for start in range(0, batch.num_rows, _BATCH):
        yield batch.slice(start, _BATCH)


def class_names(schema: Any) -> Names:
    """Class names by column, as the `datasets` package writes them into the schema."""
    stored = (schema.metadata or {}).get(b"huggingface")
    if not stored:
        return {}
    features = json.loads(stored).get("info", {}).get("features", {})
    found = {column: _names(feature) for column, feature in features.items()}
    return {column: names for column, names in found.items() if names}


def _names(feature: Any) -> list[str]:
    if isinstance(feature, list):
        feature = feature[0] if feature else None
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel":
        return [str(name) for name in feature.get("names") or []]
    return _names(feature["feature"]) if "feature" in feature else []


def named(rows: list[dict[str, Any]], names: Names) -> Iterator[dict[str, Any]]:
    """The rows with class numbers replaced by class names; -1, "no label", becomes None."""
    for row in rows:
        yield row | {c: _name(row[c], known) for c, known in names.items() if c in row}


def _name(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_name(part, names) for part in value]
    if isinstance(value, int) and -1 <= value < len(names):
        return None if value == -1 else names[value]
    return value
