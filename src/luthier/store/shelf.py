"""Results of stages, kept by what they read, the least recently used given up first."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from luthier.core.errors import CheckRun, RepairStore
from luthier.core.files import disk_errors
from luthier.store.folders import copy, making, place_once
from luthier.store.lock import locked
from luthier.store.manifest import Manifest
from luthier.store.owner import Owner

SHELF_BYTES = 10_000_000_000
"""So much is kept; what a stage made can be made again."""
_STAGE_KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{1,127}")
_FOREIGN_SECONDS = 7 * 86_400
"""Whether a process of another machine lives can't be told; a lease of it holds so long."""


@dataclass(frozen=True)
class Tidied:
    """What was given up and what is left, in entries and bytes."""

    removed: int
    freed_bytes: int
    kept: int
    kept_bytes: int


class Shelf:
    """The folder `shelf` under the artefacts. Several processes may use it at once.

    Who takes an entry leaves a lease beside it, and while that process lives nobody removes the
    entry. An entry leaves by one rename, so that a killed process leaves no half of one.
    """

    def __init__(self, artefacts: Path) -> None:
        self._artefacts = artefacts
        self._folder = artefacts / "shelf"

    def find(self, stage_key: str) -> Path | None:
        """The folder that a stage with this key made, or None; not to be written to.

        Raises: RepairStore when its files are not as they were made.
        """
        entry = self._entry(stage_key)
        if not entry.is_dir():
            return None
        with self._lock():
            if not entry.is_dir():
                return None
            self._lease(entry)
        differences = Manifest.verify(entry)
        if differences:
            raise RepairStore(
                str(entry),
                f"{len(differences)} files differ from what was kept: {differences[0]}",
                advice="delete the folder; the stage makes it again",
            )
        return entry / "content"

    def put(self, stage_key: str, folder: Path) -> Path:
        """Keeps a copy of what a stage made; where several processes do, the first one wins.

        Returns the kept folder. Raises: FreeDisk; RepairStore when an earlier one is damaged.
        """
        entry = self._entry(stage_key)
        if not entry.is_dir():
            with making(self._artefacts) as made:
                copy(folder, made / "content")
                Manifest.write(made)
                with self._lock():
                    self._lease(entry)
                place_once(made, entry)
            self.tidy(SHELF_BYTES)
        kept = self.find(stage_key)
        if kept is None:
            raise RepairStore(str(entry), "it vanished", advice="run the stage again")
        return kept

    def tidy(self, keep_bytes: int) -> Tidied:
        """Gives up the least recently used entries until the rest fits into `keep_bytes`.

        An entry that a living process uses stays, whatever its size.

        Raises: FreeDisk.
        """
        with disk_errors(self._folder):
            self._clear()
            entries = sorted(self._folder.glob("*/*"), key=_used)
            sizes = {entry: _size(entry) for entry in entries}
            total, removed, freed = sum(sizes.values()), 0, 0
            for entry in entries:
                if total - freed <= keep_bytes:
                    break
                if self._give_up(entry):
                    removed, freed = removed + 1, freed + sizes[entry]
        return Tidied(removed, freed, len(entries) - removed, total - freed)

    def _give_up(self, entry: Path) -> bool:
        aside = self._artefacts / ".unfinished" / f"evicted-{uuid.uuid4().hex}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if self._leased(entry):
                return False
            try:
                entry.rename(aside)
            except FileNotFoundError:
                return False
            shutil.rmtree(self._leases(entry), ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
        return True

    def _clear(self) -> None:
        """Removes what killed processes had given up but not yet deleted."""
        for left in (self._artefacts / ".unfinished").glob("evicted-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _lease(self, entry: Path) -> None:
        owner = Owner.current()
        with disk_errors(entry):
            leases = self._leases(entry)
            leases.mkdir(parents=True, exist_ok=True)
            (leases / f"{owner.pid}@{owner.host}").write_text(owner.began, encoding="utf-8")
            with suppress(FileNotFoundError):
                os.utime(entry)

    def _leased(self, entry: Path) -> bool:
        held = False
        for lease in self._leases(entry).glob("*"):
            number, _, host = lease.name.partition("@")
            owner = Owner(host, int(number), lease.read_text(encoding="utf-8"))
            old = time.time() - lease.stat().st_mtime > _FOREIGN_SECONDS
            if owner.is_dead or (old and not owner.is_here):
                lease.unlink(missing_ok=True)
            else:
                held = True
        return held

    def _leases(self, entry: Path) -> Path:
        return self._artefacts / "leases" / entry.name

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._artefacts.mkdir(parents=True, exist_ok=True)
        with (self._artefacts / ".shelf.lock").open("ab") as file, locked(file):
            yield

    def _entry(self, stage_key: str) -> Path:
        if not _STAGE_KEY.fullmatch(stage_key):
            raise CheckRun(f"stage key {stage_key!r}", "it is no key", "letters, digits, . _ and -")
        return self._folder / stage_key[:2] / stage_key


def _used(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(entry: Path) -> int:
    found = 0
    for part in entry.rglob("*"):
        with suppress(FileNotFoundError):
            found += part.stat().st_size if part.is_file() else 0
    return found
