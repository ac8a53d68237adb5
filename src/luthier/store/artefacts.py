"""Files and folders kept by what they hold, and results of stages by what they read."""

from __future__ import annotations

import re
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from luthier.core.errors import CheckRun, RepairStore
from luthier.core.files import disk_errors
from luthier.core.hashing import hash_file, hash_path
from luthier.store.folders import copy, making, place_once
from luthier.store.shelf import Shelf, Tidied

_KEY = re.compile(r"[0-9a-f]{64}")


class Artefacts:
    """The folder `artefacts` under the folder of a store. Several processes may use it at once.

    Every entry is filled under a hidden name and moved into place when it is whole, so a
    process that is killed leaves no half of one.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the store; nothing is made before something is put."""
        self.folder = folder / "artefacts"
        self._shelf = Shelf(self.folder)

    def put_file(self, path: Path) -> str:
        """Keeps a copy of a file; its key is the SHA-256 of its bytes.

        Raises: FreeDisk; CheckRun when there is no such file.
        """
        if not path.is_file():
            raise CheckRun(str(path), "there is no such file", "a file")
        return self._put(path, "file")

    def put_folder(self, path: Path) -> str:
        """Keeps a copy of a folder; its key is the SHA-256 of its names and contents.

        Raises: FreeDisk; CheckRun when there is no such folder, or it holds no files only.
        """
        if not path.is_dir():
            raise CheckRun(str(path), "there is no such folder", "a folder")
        return self._put(path, "folder")

    def get(self, key: str) -> Path:
        """The kept file or folder; not to be written to.

        Raises: CheckRun when there is none, RepairStore when its bytes have changed.
        """
        found = self._content(key)
        if found is None:
            raise CheckRun(f"artefact {key}", "there is none", f"those in {self.folder}")
        if not _is_intact(found, key):
            raise RepairStore(
                str(found),
                "its bytes are not those that were kept",
                f"content with the hash {key}",
                "delete the folder and put the content again",
            )
        return found

    def drop(self, key: str) -> None:
        """Removes an artefact; none is no error.

        Raises: FreeDisk.
        """
        entry = self._entry(key)
        with disk_errors(entry):
            self._set_aside(entry)

    def shelf(self, stage_key: str) -> Path | None:
        """The folder that a stage with this key made, or None; not to be written to.

        Raises: RepairStore when its files are not as they were made.
        """
        return self._shelf.find(stage_key)

    def shelve(self, stage_key: str, folder: Path) -> Path:
        """Keeps a copy of what a stage made; where several processes do, the first one wins.

        Returns the kept folder. Raises: FreeDisk; RepairStore when an earlier one is damaged.
        """
        return self._shelf.put(stage_key, folder)

    def tidy(self, keep_bytes: int) -> Tidied:
        """Gives up what stages made, the least recently used first, until the rest fits.

        What a living process uses stays, and so does everything runs were told to keep.

        Raises: FreeDisk.
        """
        return self._shelf.tidy(keep_bytes)

    def _put(self, path: Path, kind: str) -> str:
        with making(self.folder) as made:
            copy(path, made / kind)
            # Of the copy, because the original may change while it is read.
            key = hash_file(made / kind) if kind == "file" else hash_path(made / kind)
            entry = self._entry(key)
            known = self._content(key)
            if known is not None and _is_intact(known, key):
                return key
            if known is not None:
                self._set_aside(entry)
            place_once(made, entry)
            return key

    def _content(self, key: str) -> Path | None:
        entry = self._entry(key)
        return next((entry / k for k in ("file", "folder") if (entry / k).exists()), None)

    def _entry(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise CheckRun(f"artefact {key!r}", "it is no key", "64 hexadecimal digits")
        return self.folder / key[:2] / key

    def _set_aside(self, entry: Path) -> None:
        """Removes an entry so that no reader meets a half of it."""
        aside = entry.with_name(f".{entry.name}.{uuid.uuid4().hex[:8]}.old")
        with suppress(FileNotFoundError):
            entry.rename(aside)
            shutil.rmtree(aside)


def _is_intact(content: Path, key: str) -> bool:
    return hash_path(content) == key
