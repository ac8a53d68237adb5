"""Transactions that wait for other processes, and whose failures are errors of the house."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from luthier.core.errors import LuthierError
from luthier.core.files import disk_errors
from luthier.store.sql.address import shown
from luthier.store.sql.faults import DatabaseFault, is_busy, translate

Result = TypeVar("Result")

BUSY_SECONDS = 20
"""How long SQLite waits for another writer before it says so."""

ATTEMPTS = 6
"""How often a transaction that met other writers is begun anew."""


class Database:
    """A database of runs. Safe to keep across a fork: no connection outlives its transaction."""

    def __init__(self, url: URL) -> None:
        """Nothing is opened yet.

        Raises: FreeDisk when the folder of an SQLite file cannot be made.
        """
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            with disk_errors(str(url.database)):
                Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        self.engine = _engine(url, self.is_sqlite)

    def __repr__(self) -> str:
        return f"Database({shown(self.url)!r})"

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` finds, all of it from one moment.

        Raises: RepairStore, FreeDisk.
        """
        return self._attempt(work, {"isolation_level": "REPEATABLE READ"})

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, after everything it changed is on disk; all of it or nothing.

        `work` may be called again when other processes came in between.

        Raises: RepairStore, FreeDisk.
        """
        return self._attempt(work, {"isolation_level": "READ COMMITTED"}, writes=True)

    def close(self) -> None:
        """Lets go of what the engine holds."""
        self.engine.dispose()

    def _attempt(
        self, work: Callable[[Connection], Result], options: dict[str, Any], writes: bool = False
    ) -> Result:
        chosen = {"luthier_writes": writes} if self.is_sqlite else options
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.engine.execution_options(**chosen).begin() as connection:
                    found = work(connection)
                return found
            except LuthierError:
                raise
            except DatabaseFault as error:
                if is_busy(error) and attempt < ATTEMPTS:
                    time.sleep(random.uniform(0.01, 0.1) * attempt)
                    continue
                # The original may hold the password in its text or its arguments.
                raise translate(error, self.url) from None
        raise AssertionError("the last attempt returns or raises")


def _engine(url: URL, is_sqlite: bool) -> Engine:
    settings: dict[str, Any] = {}
    if not is_sqlite and "connect_timeout" not in url.query:
        settings["connect_timeout"] = 10
    engine = create_engine(url, poolclass=NullPool, connect_args=settings, hide_parameters=True)
    if is_sqlite:
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    # Transactions are begun by _begin: the driver's own habit begins them too late.
    connection.isolation_level = None
    # WAL lets readers go on while one process writes. FULL syncs at each commit, so that what
    # was recorded survives a power cut too; a run commits so seldom that the cost is not felt.
    for setting in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turns writer can only fail, not wait.
    writes = connection.get_execution_options().get("luthier_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
