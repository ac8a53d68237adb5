"""Folders that appear whole, once, and stay after a power cut."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from luthier.core.errors import CheckRun
from luthier.core.files import disk_errors

_ABANDONED_SECONDS = 86_400


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy(source: Path, target: Path) -> None:
    """Copies a file or a folder to a new place; links to files become files.

    Raises: CheckRun for a link to a folder, a pipe or a device; OSError.
    """
    if source.is_file():
        shutil.copyfile(source, target)
    elif source.is_dir() and not source.is_symlink():
        target.mkdir()
        for part in sorted(source.iterdir()):
            copy(part, target / part.name)
    else:
        raise CheckRun(
            str(source),
            "it is missing, a link to a folder or a device",
            "files and folders",
            "copy what it stands for into its place",
        )


@contextmanager
def making(parent: Path) -> Iterator[Path]:
    """A hidden folder in `parent` for unfinished work, gone afterwards.

    What processes that were killed left there is removed after a day.

    Raises: FreeDisk when the disk is full or cannot be written.
    """
    unfinished = parent / ".unfinished"
    with disk_errors(parent):
        unfinished.mkdir(parents=True, exist_ok=True)
        for left in unfinished.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        place = unfinished / uuid.uuid4().hex
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def place_once(made: Path, target: Path) -> bool:
    """Moves a finished folder to `target`, unless another process was first.

    Returns whether this one was taken. Raises: OSError.
    """
    for folder, _, names in os.walk(made):
        for name in names:
            with (Path(folder) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(folder))
    target.parent.mkdir(parents=True, exist_ok=True)
    sync_folder(target.parent.parent)
    try:
        # A folder that is not empty is never replaced by a rename.
        made.rename(target)
    except OSError:
        if target.is_dir():
            return False
        raise
    sync_folder(target.parent)
    return True
