"""What runs measured: metrics and curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy.engine import Connection

from luthier.core.types import Interval
from luthier.store.records import CurvePoint, MetricRow, metric_of
from luthier.store.sql import rows
from luthier.store.sql.database import Database


class Measures:
    """The metrics and curves of the runs in a database."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def record_metrics(
        self,
        run_id: str,
        split: str,
        which: Literal["base", "tuned"],
        metrics: Mapping[str, Interval | float],
    ) -> None:
        """Keeps metrics; one of the same split, model and name gets the new value.

        Raises: CheckRun for an unknown run.
        """
        key = {"run": run_id, "split": split, "which": which}
        found = [key | {"name": name} | rows.measured(value) for name, value in metrics.items()]
        self._change(run_id, lambda c: rows.put_metrics(c, found))

    def metrics(self, run_id: str) -> list[MetricRow]:
        """The metrics of a run, sorted by split, model and name.

        Raises: CheckRun for an unknown run.
        """
        return [metric_of(row) for row in self._parts(run_id, rows.metrics)]

    def record_curve(self, run_id: str, points: Sequence[CurvePoint]) -> None:
        """Keeps points; one of the same name and step gets the new value.

        Raises: CheckRun for an unknown run.
        """
        self._change(run_id, lambda c: rows.put_curve(c, run_id, points))

    def curve(self, run_id: str) -> list[CurvePoint]:
        """The points of a run, sorted by step and name.

        Raises: CheckRun for an unknown run.
        """
        return [
            CurvePoint(row["step"], row["seconds"], row["name"], row["value"])
            for row in self._parts(run_id, rows.curve)
        ]

    def _change(self, run_id: str, put: Callable[[Connection], None]) -> None:
        def work(connection: Connection) -> None:
            rows.demand(connection, run_id, lock=True)
            put(connection)

        self._database.write(work)

    def _parts(
        self, run_id: str, query: Callable[[Connection, str], Sequence[Any]]
    ) -> Iterator[Any]:
        def work(connection: Connection) -> Sequence[Any]:
            rows.demand(connection, run_id)
            return query(connection, run_id)

        return iter(self._database.read(work))
