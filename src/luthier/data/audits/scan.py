"""One pass over a table that gathers, per row, what the checks need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from luthier.core.types import Finding, Level
from luthier.data.audits.duplicates import signatures
from luthier.data.audits.encoding import INVISIBLE, faults
from luthier.data.mappings.text import input_text, normalise, whole_text
from luthier.data.table import Table

_BLOCK = 1024
_SHOWN = 20


@dataclass(frozen=True)
class Scan:
    """The table, and per row, each (N,): source row number, keys of the normalised whole and
    input text, characters and words; signatures of the whole text (N, 32); rows with a fault, by
    its kind."""

    table: Table
    source: np.ndarray
    whole: np.ndarray
    input: np.ndarray
    characters: np.ndarray
    words: np.ndarray
    signed: np.ndarray
    empty: np.ndarray
    faulty: dict[str, list[int]]

    def finding(self, code: str, level: Level, rows: np.ndarray, message: str) -> list[Finding]:
        """One finding about `rows`, or none when there are no rows; `{count}` is filled in."""
        if not len(rows):
            return []
        said = message.format(count=len(rows))
        return [Finding.at(code, level, said, len(rows), self.numbers(rows))]

    def numbers(self, rows: Sequence[int] | np.ndarray) -> list[int]:
        """Where the first of some rows stand in their files."""
        return [self.table.source_row(int(row)) for row in rows[:_SHOWN]]


def scan(table: Table) -> Scan:
    """Reads every row once; memory grows by about 200 bytes per row, not by its text."""
    whole: list[int] = []
    given: list[int] = []
    characters: list[int] = []
    words: list[int] = []
    empty: list[int] = []
    signed: list[np.ndarray] = []
    faulty: dict[str, list[int]] = {}
    for block in _blocks(table):
        plains: list[str] = []
        for said, asked in block:
            row = len(whole)
            plain = normalise(said)
            plains.append(plain)
            whole.append(hash(plain))
            given.append(whole[-1] if asked is said else hash(normalise(asked)))
            characters.append(len(said))
            words.append(plain.count(" ") + 1 if plain else 0)
            if not INVISIBLE.sub("", plain).strip():
                empty.append(row)
        for kind, rows in faults([said for said, _ in block]).items():
            start = len(whole) - len(block)
            faulty.setdefault(kind, []).extend(start + row for row in rows)
        signed.append(signatures(plains))
    return Scan(
        table=table,
        source=table.source_rows(),
        whole=np.array(whole, dtype=np.int64),
        input=np.array(given, dtype=np.int64),
        characters=np.array(characters, dtype=np.int64),
        words=np.array(words, dtype=np.int64),
        signed=np.concatenate(signed),
        empty=np.array(empty, dtype=np.int64),
        faulty=faulty,
    )


def _blocks(table: Table) -> Iterator[list[tuple[str, str]]]:
    """Whole and input text of some rows; one object where they are the same."""
    rows = table.rows()
    while block := list(islice(rows, _BLOCK)):
        if table.task.generates and "messages" in block[0]:
            yield [(whole_text(table.task, r), input_text(table.task, r)) for r in block]
        else:
            yield [(r["text"], r["text"]) for r in block]
