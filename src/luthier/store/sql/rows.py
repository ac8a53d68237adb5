"""The queries of the store, each on a connection that the caller has opened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, func, select, text, update
from sqlalchemy.engine import Connection, RowMapping

from luthier.core.errors import CheckRun
from luthier.core.types import Interval
from luthier.store.naming import match
from luthier.store.owner import Owner
from luthier.store.records import CurvePoint
from luthier.store.sql.tables import CURVE, METRICS, RUNS, USES

Values = dict[str, Any]


def new(run_id: str, moment: datetime, owner: Owner) -> Values:
    """The row of a run that begins; name, task, recipe and facts are still to come."""
    return {
        "id": run_id,
        "status": "running",
        "reason": "",
        "created": moment,
        "finished": None,
        "deleted": False,
    } | beat(owner, moment)


def beat(owner: Owner, moment: datetime) -> Values:
    """The columns that say who works on a run."""
    return {"host": owner.host, "pid": owner.pid, "began": owner.began, "beat": moment}


def measured(value: Interval | float) -> Values:
    """The columns of a metric."""
    if isinstance(value, Interval):
        return {
            "value": float(value.value),
            "low": float(value.low),
            "high": float(value.high),
            "level": float(value.level),
        }
    return {"value": float(value), "low": None, "high": None, "level": None}


def one(connection: Connection, run_id: str, lock: bool = False) -> RowMapping | None:
    """The row with exactly this id, or None; locked against other writers when asked."""
    query = select(RUNS).where(RUNS.c.id == run_id, RUNS.c.deleted.is_(False))
    if lock:
        # SQLite has no such clause and needs none: its writers hold the whole database.
        query = query.with_for_update()
    return connection.execute(query).mappings().one_or_none()


def demand(connection: Connection, run_id: str, lock: bool = False) -> RowMapping:
    """The row with exactly this id.

    Raises: CheckRun naming the nearest id.
    """
    found = one(connection, run_id, lock)
    if found is None:
        near = match(run_id, ids(connection))
        raise CheckRun(f"run {run_id!r}", "there is no such run", "a whole id", f"try {near}")
    return found


def ids(connection: Connection) -> list[str]:
    """The ids of all runs, the newest first."""
    query = select(RUNS.c.id).where(RUNS.c.deleted.is_(False))
    return list(connection.execute(query.order_by(*_newest_first())).scalars())


def newest(
    connection: Connection, statuses: Sequence[str], limit: int | None
) -> Sequence[RowMapping]:
    """The newest `limit` rows (None: all) with one of the statuses, the newest first."""
    query = select(RUNS).where(RUNS.c.deleted.is_(False), RUNS.c.status.in_(statuses))
    return connection.execute(query.order_by(*_newest_first()).limit(limit)).mappings().all()


def being_deleted(connection: Connection) -> list[str]:
    """The ids of runs whose deletion has begun."""
    return list(connection.execute(select(RUNS.c.id).where(RUNS.c.deleted)).scalars())


def insert(connection: Connection, values: Values) -> bool:
    """Adds a run; False when its id is taken."""
    statement = _insert(connection, RUNS).values(values).on_conflict_do_nothing()
    # Not rowcount: drivers need not tell it for an insert.
    return connection.execute(statement.returning(RUNS.c.id)).first() is not None


def change(connection: Connection, run_id: str, values: Values) -> None:
    """Changes columns of a run."""
    connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(values))


def remove(connection: Connection, run_id: str) -> None:
    """Removes a run and all that belongs to it."""
    connection.execute(delete(RUNS).where(RUNS.c.id == run_id))


def put_metrics(connection: Connection, found: Sequence[Values]) -> None:
    """Adds or replaces metrics."""
    put(connection, METRICS, found)


def metrics(connection: Connection, run_id: str) -> Sequence[RowMapping]:
    """The metrics of a run."""
    return sorted(
        _of(connection, METRICS, run_id), key=lambda r: (r["split"], r["which"], r["name"])
    )


def put_curve(connection: Connection, run_id: str, points: Sequence[CurvePoint]) -> None:
    """Adds or replaces points; of two with the same name and step the later one counts."""
    last = {(p.name, p.step): p for p in points}
    found = [
        {"run": run_id, "name": p.name, "step": int(p.step), "seconds": p.seconds, "value": p.value}
        for p in last.values()
    ]
    put(connection, CURVE, found)


def curve(connection: Connection, run_id: str) -> Sequence[RowMapping]:
    """The points of a run."""
    return sorted(_of(connection, CURVE, run_id), key=lambda r: (r["step"], r["name"]))


def put_use(connection: Connection, run_id: str, key: str) -> None:
    """Notes that a run uses an artefact."""
    put(connection, USES, [{"run": run_id, "artefact": key}])


def used_alone(connection: Connection, run_id: str) -> list[str]:
    """The artefacts that this run uses and no other."""
    mine = select(USES.c.artefact).where(USES.c.run == run_id)
    counted = select(USES.c.artefact).where(USES.c.artefact.in_(mine)).group_by(USES.c.artefact)
    return list(connection.execute(counted.having(func.count() == 1)).scalars())


def lock_uses(connection: Connection) -> None:
    """Keeps other processes from noting uses until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {USES.name} IN SHARE ROW EXCLUSIVE MODE"))


def _newest_first() -> tuple[Any, ...]:
    return RUNS.c.created.desc(), RUNS.c.id.desc()


def _of(connection: Connection, table: Table, run_id: str) -> Sequence[RowMapping]:
    # Sorted by the caller: the order of texts differs between the engines.
    return connection.execute(select(table).where(table.c.run == run_id)).mappings().all()


def _insert(connection: Connection, table: Table) -> Any:
    # Each takes a tenth of a second to import, and a store needs only one.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def put(connection: Connection, table: Table, found: Sequence[Values]) -> None:
    """Adds rows to a table; one with the same key is replaced."""
    if not found:
        return
    keys = [column.name for column in table.primary_key]
    statement = _insert(connection, table)
    rest = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}
    if rest:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=rest)
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(statement, list(found))
