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

from collections.abc import Mapping
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


@dataclass(frozen=True)
class Finding:
    """Something noticed about data, plan or result.

    `rows` are 1-based row numbers of the source file (at most 20 examples), `count` is the
    full number of rows concerned.
    """

    code: str
    level: Level
    message: str
    count: int = 0
    rows: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return asdict(self) | {"level": self.level.value, "rows": list(self.rows)}


@dataclass(frozen=True)
class Interval:
    """A point estimate with a confidence interval."""

    value: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"
