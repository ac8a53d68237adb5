"""Bringing the tables to the version that this code knows."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from luthier.core.errors import RepairStore
from luthier.store.sql.address import shown
from luthier.store.sql.database import Database
from luthier.store.sql.tables import HEAD, METADATA, VERSION_TABLE

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parents[1] / "migrations"

# Any number that no other program on the server is likely to use.
_ADVISORY_LOCK = 5_917_330_412

_HEAD_SECONDS = 0.5

# Alembic keeps its context in a module, so one thread at a time.
_ONE_THREAD = threading.Lock()


def bring_up(database: Database) -> None:
    """Creates the tables or brings older ones up; several processes may do so at once.

    Raises: RepairStore for tables of a newer version, or for a database of another program.
    """
    if database.read(lambda connection: _version(connection, database)) == HEAD:
        return
    with _ONE_THREAD:
        database.write(lambda connection: _upgrade(connection, database))


def refuse_emptied(file: Path, runs: Path) -> None:
    """Refuses a database file without a byte beside folders of runs: its history is lost.

    Raises: RepairStore.
    """
    if not _is_empty(file) or not any(runs.iterdir()):
        return
    # Another process may be making the file at this moment; it writes the head of it at once.
    time.sleep(_HEAD_SECONDS)
    if _is_empty(file):
        raise RepairStore(
            str(file),
            f"the file is empty, although there are runs in {runs}",
            "the database that knows these runs",
            "restore it from a copy, or delete the empty file to begin a new history",
        )


def _is_empty(file: Path) -> bool:
    return file.is_file() and file.stat().st_size == 0


def _version(connection: Connection, database: Database) -> str | None:
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE in names:
        query = text(f"SELECT version_num FROM {VERSION_TABLE}")
        found = connection.execute(query).scalars().all()
        if len(found) == 1:
            return str(found[0])
    ours = names if database.is_sqlite else names & set(METADATA.tables)
    if ours - {VERSION_TABLE}:
        raise RepairStore(
            shown(database.url),
            f"it has the tables {', '.join(sorted(ours)[:5])} and no version of Luthier",
            "an empty database, or one that Luthier made",
            "name another database with --store",
        )
    return None


def _upgrade(connection: Connection, database: Database) -> None:
    # Heavy to import, and needed only when something has to change.
    from alembic import command
    from alembic.script import ScriptDirectory

    if not database.is_sqlite:
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        connection.execute(lock, {"key": _ADVISORY_LOCK})
    version = _version(connection, database)
    if version == HEAD:
        return
    config = migrations(connection)
    known = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    if version is not None and version not in known:
        raise RepairStore(
            shown(database.url),
            f"its tables have version {version!r}",
            f"versions up to {HEAD!r}",
            "install the newer Luthier that wrote it",
        )
    command.upgrade(config, "head")


def migrations(connection: Connection) -> Config:
    """How Alembic finds the steps and runs them on an open connection."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
