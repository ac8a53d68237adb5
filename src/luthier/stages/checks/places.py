"""The folder of runs: written, locked between processes, and the database of the store."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from luthier.core.errors import LuthierError
from luthier.core.files import write_text
from luthier.stages.checks.check import Check, fail, ok, warn
from luthier.store.store import Store

_OTHER = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError:
    sys.exit(3)
"""


def check_writing(home: Path) -> Check:
    """Whether a file can be written at `home` and moved into place."""
    probe = home / ".probe"
    try:
        write_text(probe, "written")
        probe.unlink()
    except (LuthierError, OSError) as error:
        return fail("writing", str(error), "name another folder with --home")
    return ok("writing", f"files appear whole at {home}")


def check_locks(home: Path) -> Check:
    """Whether a database at `home` that one process holds is closed to another.

    Some network disks grant every lock, and two writers then damage the store.
    """
    with tempfile.TemporaryDirectory(dir=home, prefix=".probe-") as folder:
        path = Path(folder) / "lock.db"
        try:
            held = sqlite3.connect(path, isolation_level=None)
            held.execute("CREATE TABLE t (x)")
            held.execute("BEGIN IMMEDIATE")
            other = subprocess.run(
                [sys.executable, "-c", _OTHER, str(path)], capture_output=True, timeout=60
            )
            held.close()
        except (sqlite3.Error, subprocess.TimeoutExpired) as error:
            return fail("locks", str(error), "name a folder on a local disk with --home")
    if other.returncode == 3:
        return ok("locks", "two processes can share the store")
    return fail(
        "locks",
        "a lock held by one process did not stop another",
        "name a folder on a local disk with --home, or use PostgreSQL with --store",
    )


def check_store(home: Path, url: str | None) -> Check:
    """Whether the store opens, with how many runs it holds."""
    try:
        count = len(Store.open(url, home).list())
    except LuthierError as error:
        return fail("store", str(error), error.advice)
    return ok("store", f"{count} runs in {url or home}")


def check_postgres(url: str | None) -> Check:
    """Whether the driver for a store in PostgreSQL is there."""
    if find_spec("psycopg") is not None:
        return ok("postgresql driver", "present")
    advice = "pip install 'luthier[postgres]'"
    if url is not None and url.startswith("postgres"):
        return fail("postgresql driver", "absent, and the store is in PostgreSQL", advice)
    return warn("postgresql driver", "absent; runs are kept in SQLite", advice)
