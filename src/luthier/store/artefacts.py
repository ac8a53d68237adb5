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
from luthier.store.manifest import Manifest

_KEY = re.compile(r"[0-9a-f]{64}")
_STAGE_KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{1,127}")


class Artefacts:
    """The folder `artefacts` under the folder of a store. Several processes may use it at once.

    Every entry is filled under a hidden name and moved into place when it is whole, so a
    process that is killed leaves no half of one.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the store; nothing is made before something is put."""
        self.folder = folder / "artefacts"

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
        entry = self._shelf_entry(stage_key)
        if not entry.is_dir():
            return None
        differences = Manifest.verify(entry)
        if differences:
            raise RepairStore(
                str(entry),
                f"{len(differences)} files differ from what was kept: {differences[0]}",
                advice="delete the folder; the stage makes it again",
            )
        return entry / "content"

    def shelve(self, stage_key: str, folder: Path) -> Path:
        """Keeps a copy of what a stage made; where several processes do, the first one wins.

        Returns the kept folder. Raises: FreeDisk; RepairStore when an earlier one is damaged.
        """
        entry = self._shelf_entry(stage_key)
        if not entry.is_dir():
            with making(self.folder) as made:
                copy(folder, made / "content")
                Manifest.write(made)
                place_once(made, entry)
        kept = self.shelf(stage_key)
        if kept is None:
            raise RepairStore(str(entry), "it vanished", advice="run the stage again")
        return kept

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

    def _shelf_entry(self, stage_key: str) -> Path:
        if not _STAGE_KEY.fullmatch(stage_key):
            raise CheckRun(f"stage key {stage_key!r}", "it is no key", "letters, digits, . _ and -")
        return self.folder / "shelf" / stage_key[:2] / stage_key

    def _set_aside(self, entry: Path) -> None:
        """Removes an entry so that no reader meets a half of it."""
        aside = entry.with_name(f".{entry.name}.{uuid.uuid4().hex[:8]}.old")
        with suppress(FileNotFoundError):
            entry.rename(aside)
            shutil.rmtree(aside)


def _is_intact(content: Path, key: str) -> bool:
    return hash_path(content) == key
