"""Words shared by every floor.

Axis letters, used in every shape annotation of the house:

====  =============================================
B     examples in a batch
T     tokens of an example, padded or packed
N     rows of a data set
V     vocabulary
C     classes
D     width of a hidden state
L     layers
H     attention heads
R     rank of an adapter
K     clients of a federation
====  =============================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

Row = Mapping[str, Any]
"""One example as read from a file: field name to value."""


class Task(StrEnum):
    """What the tuned model is for."""

    CLASSIFY = "classify"
    MULTILABEL = "multilabel"
    REGRESS = "regress"
    TAG = "tag"
    INSTRUCT = "instruct"
    ADAPT = "adapt"
    PREFER = "prefer"

    @property
    def generates(self) -> bool:
        """Whether the answer is text."""
        return self in (Task.INSTRUCT, Task.ADAPT, Task.PREFER)


FIELDS: Mapping[Task, tuple[str, ...]] = {
    Task.CLASSIFY: ("text", "label"),
    Task.MULTILABEL: ("text", "labels"),
    Task.REGRESS: ("text", "label"),
    Task.TAG: ("text", "spans"),
    Task.INSTRUCT: ("messages",),
    Task.ADAPT: ("text",),
    Task.PREFER: ("messages", "chosen", "rejected"),
}
"""Canonical fields of a row after mapping, per task."""


class Level(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class RowNumber(int):
    """A 1-based row number that knows the file it counts in; everywhere else a plain int."""

    file: str

    def __new__(cls, number: int, file: str) -> RowNumber:
        made = super().__new__(cls, number)
        made.file = file
        return made


def file_of(number: int) -> str:
    """The file a row number counts in, "" where that is not known."""
    return number.file if isinstance(number, RowNumber) else ""


@dataclass(frozen=True)
class Finding:
    """Something noticed about data, plan or result.

    `rows` are 1-based row numbers within a file (at most 20 examples), `files` the file of each of
    them where that is known, `count` is the full number of rows concerned.
    """

    code: str
    level: Level
    message: str
    count: int = 0
    rows: tuple[int, ...] = ()
    files: tuple[str, ...] = ()

    @staticmethod
    def at(code: str, level: Level, message: str, count: int, numbers: Sequence[int]) -> Finding:
        """A finding about rows whose numbers may know their file."""
        files = tuple(map(file_of, numbers))
        rows = tuple(map(int, numbers))
        return Finding(code, level, message, count, rows, files if any(files) else ())

    def where(self, most: int) -> str:
        """The first rows in words, file by file: `a.csv: 2, 5; b.csv: 1`; "" without rows."""
        found: dict[str, list[str]] = {}
        for index, row in enumerate(self.rows[:most]):
            found.setdefault(self.files[index] if self.files else "", []).append(str(row))
        parts = [
            f"{file}: {', '.join(rows)}" if file else ", ".join(rows)
            for file, rows in found.items()
        ]
        return "; ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        listed = {"rows": list(self.rows), "files": list(self.files)}
        return asdict(self) | {"level": self.level.value} | listed


@dataclass(frozen=True)
class Interval:
    """A point estimate with a confidence interval."""

    value: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    def told(self) -> dict[str, float]:
        """The estimate and its ends, JSON-ready."""
        return {"value": self.value, "low": self.low, "high": self.high}
