"""What a database says when it fails, as errors of the house."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from luthier.core.errors import FreeDisk, LuthierError, RepairStore
from luthier.store.sql.address import shown, without_secrets

# Primary result codes: https://sqlite.org/rescode.html
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNWRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)

# SQLSTATE: serialisation failure, deadlock, lock not available.
_POSTGRES_BUSY: Final = ("40001", "40P01", "55P03")

DatabaseFault = (SQLAlchemyError, sqlite3.Error)
"""Whatever a database call may raise."""


def is_busy(error: Exception) -> bool:
    """Whether the database refused because of other writers; nothing has been changed then."""
    return _sqlite_code(error) in _BUSY or _state(error) in _POSTGRES_BUSY


def translate(error: Exception, url: URL) -> LuthierError:
    """The error of the house for a fault of the database, without any password."""
    place, text = shown(url), without_secrets(_said(error), url)
    code, state = _sqlite_code(error), _state(error)
    if is_busy(error):
        return RepairStore(
            place, "other processes kept it locked", advice="wait until they are done and try again"
        )
    if code == sqlite3.SQLITE_FULL or state == "53100":
        return FreeDisk(place, "the disk is full", advice="free space and resume the run")
    if code in _UNWRITABLE:
        return FreeDisk(place, f"it cannot be written ({text})", advice="choose another folder")
    if code == sqlite3.SQLITE_IOERR:
        return FreeDisk(place, f"the disk failed ({text})", advice="check the disk")
    if code in _DAMAGED or (state or "").startswith("XX"):
        return RepairStore(
            place,
            f"the database is damaged ({text})",
            advice="restore it from a copy, or move the file away to begin an empty history; "
            "the folders of the runs stay as they are",
        )
    return RepairStore(place, f"the database refused ({text})", advice=_next_step(error))


def _original(error: Exception) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _said(error: Exception) -> str:
    lines = str(_original(error)).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


def _sqlite_code(error: Exception) -> int | None:
    original = _original(error)
    if not isinstance(original, sqlite3.Error):
        return None
    code = getattr(original, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def _state(error: Exception) -> str | None:
    # Errors of psycopg carry it; psycopg itself may not be installed.
    state = getattr(_original(error), "sqlstate", None)
    return None if state is None else str(state)


def _next_step(error: Exception) -> str:
    if isinstance(_original(error), sqlite3.Error):
        return "run `luthier doctor`"
    return "check that the server runs, and the user, password and name in the store URL"
