"""The history of runs: a database of what happened, and a folder of what was made."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy.engine import Connection

from luthier.core.errors import CheckRun, RepairStore, nearest
from luthier.core.files import disk_errors
from luthier.core.home import default_home
from luthier.store.artefacts import Artefacts
from luthier.store.folders import sync_folder
from luthier.store.measures import Measures
from luthier.store.naming import id_at, match, named, next_moment
from luthier.store.owner import Owner
from luthier.store.records import (
    STATUSES,
    CurvePoint,
    MetricRow,
    RunRecord,
    Status,
    owner_of,
    run_of,
)
from luthier.store.sql import rows
from luthier.store.sql.address import read_address, shown
from luthier.store.sql.database import Database
from luthier.store.sql.schema import bring_up, refuse_emptied
from luthier.store.studies import Studies

__all__ = ["CurvePoint", "MetricRow", "RunRecord", "Status", "Store"]

_IDS_TRIED = 1000


class Store(Measures):
    """The runs of a folder. Several processes may use it at once; a kill loses nothing told."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Use `Store.open`, which brings the tables up first."""
        super().__init__(database)
        self.folder = folder
        self.artefacts = Artefacts(folder)
        self.studies = Studies(database)

    @staticmethod
    def open(url: str | None = None, folder: Path | None = None) -> Store:
        """The store in `folder` (else $LUTHIER_HOME, else `~/.luthier`), its tables brought up.

        Without `url` the database is the file `luthier.db` in `folder`.

        Raises: RepairStore when the database is damaged, unreachable, or of a newer version;
        FreeDisk when the folder cannot be written; InstallExtra without PostgreSQL's driver.
        """
        place = Path(folder or default_home()).expanduser().absolute()
        database = Database(read_address(url, place))
        with disk_errors(place):
            (place / "runs").mkdir(parents=True, exist_ok=True)
        if url is None:
            refuse_emptied(place / "luthier.db", place / "runs")
        bring_up(database)
        store = Store(database, place)
        for left in database.read(rows.being_deleted):
            store._remove(left)
        return store

    def close(self) -> None:
        """Lets go of the database; no connection is open between two calls in any case."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({shown(self._database.url)!r}, {str(self.folder)!r})"

    def create(
        self, name: str, task: str, recipe: dict[str, Any], facts: dict[str, Any]
    ) -> RunRecord:
        """A new run of this process, "running", with an empty folder.

        Raises: FreeDisk, RepairStore; TypeError for what JSON cannot hold.
        """
        json.dumps([recipe, facts])
        owner, moment = Owner.current(), datetime.now(UTC)
        for _ in range(_IDS_TRIED):
            row = rows.new(id_at(moment), moment, owner)
            row |= {"name": name, "task": task, "recipe": recipe, "facts": facts}
            if self._begin(row):
                return self.find(row["id"])
            moment = next_moment(moment)
        raise RepairStore(
            str(self.folder / "runs"),
            f"the next {_IDS_TRIED} ids are taken",
            advice="check the clock of this machine",
        )

    def find(self, run: str) -> RunRecord:
        """The run with this id or its beginning (4 characters or more), folder, or "last".

        Raises: CheckRun naming the nearest ids when there is none or more than one.
        """
        found = self._database.read(lambda c: rows.one(c, run))
        if found is None:
            ids = self._database.read(rows.ids)
            wanted = match(named(run, self.folder / "runs"), ids)
            found = self._database.read(lambda c: rows.demand(c, wanted))
        return run_of(found, self._path(found["id"]))

    def finished(self, run: str) -> RunRecord:
        """As `find`, for what needs a finished run; "last" is the newest that is finished.

        Raises: CheckRun, also for a run that is not finished.
        """
        newest = self.list(1, "finished") if run == "last" else []
        record = newest[0] if newest else self.find(run)
        record.refuse_unfinished()
        return record

    def list(self, limit: int | None = 50, status: str | None = None) -> list[RunRecord]:
        """The newest `limit` runs (None: all), those with a status when one is given.

        A run whose process on this machine ended before it did counts as interrupted.

        Raises: CheckRun for an unknown status.
        """
        _check_status(status or "running")
        kept = STATUSES if status is None else (status,)
        if status == "interrupted":
            kept = ("interrupted", "running")
        # Whether a run is still running is known only after its row was read.
        first = None if status in ("interrupted", "running") else limit
        found = self._database.read(lambda c: rows.newest(c, kept, first))
        runs = [run_of(row, self._path(row["id"])) for row in found]
        return [run for run in runs if status in (None, run.status)][:limit]

    def set_status(self, run_id: str, status: Status, reason: str = "") -> None:
        """Sets the status and why; "running" makes this process the one that works on the run.

        Raises: CheckRun for an unknown run or status, or when another live process runs it and
        this one would take it over.
        """
        _check_status(status)
        now = datetime.now(UTC)

        def change(connection: Connection) -> None:
            row = rows.demand(connection, run_id, lock=True)
            values = {"status": status, "reason": reason, "finished": now}
            if status == "running":
                _refuse_foreign(row, "take it over", "wait until it ends, or stop it")
                values |= {"finished": None} | rows.beat(Owner.current(), now)
            rows.change(connection, run_id, values)

        self._database.write(change)

    def set_facts(self, run_id: str, facts: dict[str, Any]) -> None:
        """Adds facts; a key that is there already gets the new value.

        The fact `task` also becomes the run's task, for runs whose recipe left it open.

        Raises: CheckRun for an unknown run; TypeError for what JSON cannot hold.
        """
        json.dumps(facts)

        def change(connection: Connection) -> None:
            row = rows.demand(connection, run_id, lock=True)
            task = {"task": facts["task"]} if "task" in facts else {}
            rows.change(connection, run_id, {"facts": row["facts"] | facts} | task)

        self._database.write(change)

    def heartbeat(self, run_id: str) -> None:
        """Notes that this process works on the run, and when.

        Raises: CheckRun for an unknown run, one that is not running, or another process's.
        """
        now = datetime.now(UTC)

        def change(connection: Connection) -> None:
            row = rows.demand(connection, run_id, lock=True)
            if row["status"] != "running":
                raise CheckRun(f"run {run_id}", f"it is {row['status']}", "a run that is running")
            _refuse_foreign(row, "beat for it", "let that process do so")
            rows.change(connection, run_id, rows.beat(Owner.current(), now))

        self._database.write(change)

    def use(self, run_id: str, key: str) -> None:
        """Notes that a run uses an artefact, which is then kept as long as the run.

        Raises: CheckRun for an unknown run or artefact; RepairStore when its bytes changed.
        """

        def add(connection: Connection) -> None:
            rows.lock_uses(connection)
            self.artefacts.get(key)
            rows.put_use(connection, run_id, key)

        self._change(run_id, add)

    def delete(self, run_id: str, force: bool = False) -> None:
        """Removes a run, its folder, and the artefacts that only this run used.

        Interrupted, it is finished when the store is opened next.

        Raises: CheckRun for an unknown run, or one that another process runs without `force`.
        """

        def mark(connection: Connection) -> None:
            row = rows.demand(connection, run_id, lock=True)
            if not force:
                _refuse_foreign(row, "delete it", "stop that process first, or use force=True")
            rows.change(connection, run_id, {"deleted": True})

        self._database.write(mark)
        self._remove(run_id)

    def _begin(self, row: dict[str, Any]) -> bool:
        """Makes folder and row of a new run; False when the id is taken."""
        path = self._path(row["id"])
        with disk_errors(path):
            try:
                path.mkdir()
            except FileExistsError:
                return False
            try:
                sync_folder(path.parent)
                taken = not self._database.write(lambda c: rows.insert(c, row))
            except BaseException:
                with suppress(OSError):
                    path.rmdir()
                raise
            if taken:
                path.rmdir()
        return not taken

    def _remove(self, run_id: str) -> None:
        """Finishes what `delete` began; may be called again."""
        path = self._path(run_id)
        with disk_errors(path), suppress(FileNotFoundError):
            shutil.rmtree(path)

        def clear(connection: Connection) -> None:
            # Locked, so that no other run begins to use what is being removed.
            rows.lock_uses(connection)
            for key in rows.used_alone(connection, run_id):
                self.artefacts.drop(key)
            rows.remove(connection, run_id)

        self._database.write(clear)

    def _path(self, run_id: str) -> Path:
        return self.folder / "runs" / run_id


def _check_status(status: str) -> None:
    if status not in STATUSES:
        close = nearest(status, STATUSES)
        advice = f"did you mean {close!r}?" if close else ""
        raise CheckRun(f"status {status!r}", "there is none", ", ".join(STATUSES), advice)


def _refuse_foreign(row: Any, what: str, advice: str) -> None:
    owner, me = owner_of(row), Owner.current()
    if row["status"] == "running" and owner != me and not owner.is_dead:
        raise CheckRun(
            f"run {row['id']}",
            f"process {owner.pid} on {owner.host} is running it, so this one can't {what}",
            advice=advice,
        )
