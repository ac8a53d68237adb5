"""A lock on an open file, held against other processes and other threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

if sys.platform == "win32":
    import msvcrt

    # Far behind any content, because a locked byte can't be read by others there.
    _OFFSET = 1 << 62

    @contextmanager
    def locked(file: IO[bytes]) -> Iterator[None]:
        """Waits until no one else holds the file, and holds it for the length of the block."""
        file.seek(_OFFSET)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            file.seek(_OFFSET)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    @contextmanager
    def locked(file: IO[bytes]) -> Iterator[None]:
        """Waits until no one else holds the file, and holds it for the length of the block."""
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)
