"""The rows that may be labelled: each text once, none that is kept for tests or has a label that
nobody doubts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.core.hashing import hash_value
from luthier.data.audits.duplicates import near_copies, signatures
from luthier.data.mapping import Mapping
from luthier.data.mappings.text import normalise
from luthier.data.source import open_source
from luthier.stages.labelling.setting import Setting

DOUBTED = "doubted"
"""Rows that are marked so are asked although they have a label."""
_LEFT = {
    "empty": "{n} rows of the pool are empty",
    "again": "{n} rows of the pool repeat an earlier one and are asked once",
    "labelled": "{n} rows of the pool have a label in the data already",
    "sealed": "{n} rows of the pool stand in the sealed test part and are left out",
    "near": "{n} rows of the pool nearly repeat a sealed test row and are left out",
}


@dataclass(frozen=True)
class Pool:
    """N texts to be labelled with their keys, and sentences on what was left out.

    `rows` are all rows of the file by key, with their number, and `all_texts` their texts, those
    that were left out too.
    """

    place: str
    texts: tuple[str, ...]
    keys: tuple[str, ...]
    rows: dict[str, tuple[int, dict[str, Any]]]
    all_texts: dict[str, str]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def key_of(text: str) -> str:
    """The name of a text in journals: it tells nothing of what the text says.

    >>> key_of(" A  b") == key_of("a b")
    True
    """
    return hash_value(normalise(text))[:16]


def read_pool(location: str, setting: Setting, base: Path | None = None) -> Pool:
    """The pool in a file, for a setting.

    Raises: FixData when no row is left, with what became of them.
    """
    source = open_source(location, base)
    known = {normalise(text) for text, _ in (*setting.known, *setting.held)}
    sealed = set(setting.sealed)
    left = dict.fromkeys(_LEFT, 0)
    rows: dict[str, tuple[int, dict[str, Any]]] = {}
    said: dict[str, str] = {}
    kept: list[tuple[str, str]] = []
    for number, row, text in _texts(source.place, source.rows(), setting.mapping):
        plain, key = normalise(text), key_of(text)
        kind = (
            "empty" if not plain
            else "again" if key in rows
            else "sealed" if plain in sealed
            else "labelled" if plain in known and row.get(DOUBTED) is not True
            else ""
        )  # fmt: skip
        rows.setdefault(key, (int(number), row))
        said.setdefault(key, text)
        if kind:
            left[kind] += 1
        else:
            kept.append((text, key))
    near = _near([normalise(text) for text, _ in kept], setting.sealed)
    left["near"] = len(near)
    kept = [each for place, each in enumerate(kept) if place not in near]
    notes = tuple(_LEFT[kind].format(n=count) for kind, count in left.items() if count)
    if not kept:
        raise FixData(
            source.place,
            "no row is left to label" + (f": {'; '.join(notes)}" if notes else ""),
            "texts that are neither labelled nor test rows",
        )
    texts, keys = zip(*kept, strict=True)
    return Pool(source.place, texts, keys, rows, said, notes)


def _texts(
    place: str, rows: Iterator[tuple[int, dict[str, Any]]], mapping: Mapping
) -> Iterator[tuple[int, dict[str, Any], str]]:
    for number, row in rows:
        columns = mapping.text if mapping.asks(row) else ("text",)
        missing = [column for column in columns if column not in row]
        if missing:
            raise FixData(
                f"{place}, row {int(number)}",
                f"there is no column {missing[0]!r}",
                f"the columns of the training rows ({', '.join(mapping.text)}) or text",
            )
        values = [row[column] for column in columns]
        yield number, row, mapping.separator.join("" if v is None else str(v) for v in values)


def _near(texts: list[str], sealed: tuple[str, ...]) -> set[int]:
    """Places of texts that nearly repeat a sealed one."""
    if not texts or not sealed:
        return set()
    both = [*texts, *sealed]
    held, others = np.arange(len(texts)), np.arange(len(texts), len(both))
    return set(near_copies(signatures(both), held, others, lambda rows: [both[i] for i in rows]))
