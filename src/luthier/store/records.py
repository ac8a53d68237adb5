"""What the store gives back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy.engine import RowMapping

from luthier.core.errors import CheckRun
from luthier.store.owner import Owner

Status = Literal["running", "finished", "failed", "interrupted"]
STATUSES: tuple[str, ...] = get_args(Status)


@dataclass(frozen=True)
class RunRecord:
    """A run as the store knows it. `created` and `finished` are in UTC."""

    id: str
    name: str
    task: str
    status: str
    reason: str
    created: datetime
    finished: datetime | None
    path: Path
    recipe: dict[str, Any]
    facts: dict[str, Any]

    def refuse_unfinished(self) -> None:
        """Raises: CheckRun for a run that is not finished."""
        if self.status != "finished":
            raise CheckRun(
                f"run {self.id}", f"it is {self.status}", "a finished run",
                f"wait until it is, or go on with what was stopped: luthier runs resume {self.id}",
            )  # fmt: skip


@dataclass(frozen=True)
class MetricRow:
    """A metric of a run; `low`, `high` and `level` are None when it has no interval."""

    split: str
    which: str
    name: str
    value: float
    low: float | None
    high: float | None
    level: float | None


@dataclass(frozen=True)
class CurvePoint:
    """A value named `name` after `step` updates and `seconds` of training."""

    step: int
    seconds: float
    name: str
    value: float


def owner_of(row: RowMapping) -> Owner:
    """The process that works or worked on a run."""
    return Owner(row["host"], row["pid"], row["began"])


def run_of(row: RowMapping, path: Path) -> RunRecord:
    """The run of a row. One that runs in a process that ended is shown as interrupted."""
    status, reason, finished = row["status"], row["reason"], row["finished"]
    if status == "running" and owner_of(row).is_dead:
        status, finished = "interrupted", row["beat"]
        reason = f"its process {row['pid']} ended before the run did"
    return RunRecord(
        id=row["id"],
        name=row["name"],
        task=row["task"],
        status=status,
        reason=reason,
        created=row["created"],
        finished=finished,
        path=path,
        recipe=row["recipe"],
        facts=row["facts"],
    )


def metric_of(row: RowMapping) -> MetricRow:
    """The metric of a row."""
    level, has_interval = row["level"], row["level"] is not None
    low, high = (row["low"], row["high"]) if has_interval else (None, None)
    return MetricRow(row["split"], row["which"], row["name"], row["value"], low, high, level)
