"""Searches in the store: one study per run, with its trials, curves and decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.engine import Connection

from luthier.store.sql import rows
from luthier.store.sql.database import Database
from luthier.store.sql.tables import DECISIONS, POINTS, RUNS, STUDIES, TRIALS


@dataclass(frozen=True)
class StudyRow:
    """What a search was about. `share` says that the metric lies between 0 and 1, `anchor` is its
    value for the untouched base, `rows` the number of rows it was measured on."""

    run: str
    tenant: str
    private: bool
    kind: str
    family: str
    base: str
    metric: str
    share: bool
    direction: Literal["higher", "lower"]
    anchor: float
    rows: int
    features: dict[str, float]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialRow:
    """A trial; `place` is its position in the order of beginning."""

    trial: str
    place: int
    source: str
    config: dict[str, Any]
    seed: int = 0
    parent: str | None = None
    status: str = "waiting"
    reason: str = ""


@dataclass(frozen=True)
class PointRow:
    """A point of a trial's learning curve, as in `luthier.search.trial.Observation`."""

    trial: str
    unit: int
    score: float
    loss: float
    train_loss: float
    cost: float
    measures: dict[str, float] = field(default_factory=dict)


class Studies:
    """The searches of a store. Every call is one transaction."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def put(self, study: StudyRow) -> None:
        """Keeps a study; an earlier one of the same run is replaced.

        Raises: CheckRun for an unknown run.
        """
        self._change(study.run, lambda c: rows.put(c, STUDIES, [vars(study)]))

    def put_trial(self, run: str, trial: TrialRow) -> None:
        """Keeps a trial, or its new status.

        Raises: CheckRun for an unknown run.
        """
        self._change(run, lambda c: rows.put(c, TRIALS, [{"run": run, **vars(trial)}]))

    def put_points(self, run: str, points: Sequence[PointRow]) -> None:
        """Keeps points of learning curves.

        Raises: CheckRun for an unknown run.
        """
        found = [{"run": run, **vars(point)} for point in points]
        self._change(run, lambda c: rows.put(c, POINTS, found))

    def put_decision(self, run: str, number: int, about: dict[str, Any]) -> None:
        """Keeps a decision.

        Raises: CheckRun for an unknown run.
        """
        row = {"run": run, "number": number, "about": about}
        self._change(run, lambda c: rows.put(c, DECISIONS, [row]))

    def find(self, run: str) -> StudyRow | None:
        """The study of a run, None when it has none."""
        found = self._read(select(STUDIES).where(STUDIES.c.run == run))
        return StudyRow(**found[0]) if found else None

    def all(self, tenant: str) -> list[StudyRow]:
        """The studies of a tenant that are not private, the oldest first."""
        query = (
            select(STUDIES)
            .join(RUNS, RUNS.c.id == STUDIES.c.run)
            .where(STUDIES.c.tenant == tenant, STUDIES.c.private.is_(False))
            .where(RUNS.c.deleted.is_(False))
            .order_by(RUNS.c.created, RUNS.c.id)
        )
        return [StudyRow(**row) for row in self._read(query)]

    def trials(self, run: str) -> list[TrialRow]:
        """The trials of a study in the order in which they began."""
        found = self._read(select(TRIALS).where(TRIALS.c.run == run))
        trials = [TrialRow(**_without_run(row)) for row in found]
        return sorted(trials, key=lambda t: t.place)

    def points(self, run: str) -> list[PointRow]:
        """The points of all curves of a study, by trial and unit."""
        found = self._read(select(POINTS).where(POINTS.c.run == run))
        points = [PointRow(**_without_run(row)) for row in found]
        return sorted(points, key=lambda p: (p.trial, p.unit))

    def decisions(self, run: str) -> list[dict[str, Any]]:
        """The decisions of a study in order."""
        query = select(DECISIONS).where(DECISIONS.c.run == run).order_by(DECISIONS.c.number)
        return [row["about"] for row in self._read(query)]

    def _change(self, run: str, put: Callable[[Connection], None]) -> None:
        def work(connection: Connection) -> None:
            rows.demand(connection, run, lock=True)
            put(connection)

        self._database.write(work)

    def _read(self, query: Any) -> list[dict[str, Any]]:
        def work(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(query).mappings().all()]

        return self._database.read(work)


def _without_run(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "run"}
