"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luthier.core.errors import FreeDisk, LuthierError

_LEFT = re.compile(r"\..+\.[0-9a-f]{8}\.(tmp|old)")
_TOLD = re.compile(r"\(os error (\d+)\)")


@contextmanager
def disk_errors(place: str | Path) -> Iterator[None]:
    """Turns a full or read-only disk into `FreeDisk` with the place and the free space.

    Raises: FreeDisk for ENOSPC, EDQUOT, EROFS and EACCES.
    """
    try:
        yield
    except Exception as error:
        number = _error_number(error)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise FreeDisk(
                str(place), "the disk is full", advice="free space and resume the run"
            ) from error
        if number in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise FreeDisk(
                str(place), "this place cannot be written", advice="choose another folder"
            ) from error
        raise


def _error_number(error: Exception) -> int | None:
    """The system's number of an error. Writers of tensors that are no Python code tell it in
    their message only."""
    if isinstance(error, OSError):
        return error.errno
    told = _TOLD.search(str(error))
    return int(told.group(1)) if told and not isinstance(error, LuthierError) else None


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically and durably: a reader sees the old or the new content.

    Raises: FreeDisk when the disk is full or cannot be written.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` for UTF-8 text."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """`write_bytes` for a JSON value, indented; NaN is refused.

    Raises: ValueError for NaN or infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def json_line(value: Any, allow_nan: bool = True) -> str:
    """`value` as one line of JSON; its letters as they are, or escaped where UTF-8 has no bytes for
    them, as for half a surrogate pair.

    >>> json_line("é"), json_line("\\ud800")
    ('"é"\\n', '"\\\\ud800"\\n')
    """
    line = json.dumps(value, ensure_ascii=False, allow_nan=allow_nan)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        line = json.dumps(value)
    return line + "\n"


def recover_folder(path: Path) -> None:
    """Puts back what a killed process had moved aside in the middle of replacing `path`."""
    if not path.exists():
        for old in sorted(path.parent.glob(f".{path.name}.*.old")):
            old.replace(path)
            return


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder filled under a temporary name and moved to `path` when the block succeeds.

    An existing folder at `path` is replaced only then. When the block fails, nothing is left.

    Raises: FreeDisk when the disk is full or cannot be written.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        recover_folder(path)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        temporary.mkdir()
        try:
            yield temporary
            for part in temporary.rglob("*"):
                if part.is_file():
                    with part.open("rb") as file:
                        os.fsync(file.fileno())
            if path.exists():
                old = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.old")
                path.replace(old)
                temporary.replace(path)
                shutil.rmtree(old)
            else:
                temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def clear_leftovers(folder: Path) -> None:
    """Removes what writers of this module left in `folder` when they were killed.

    Nobody else may be writing there.
    """
    for left in folder.glob(".*"):
        if not _LEFT.fullmatch(left.name):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
