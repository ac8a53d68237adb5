"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from typing import Any


def give_back() -> bool:
    """Whether freed memory went back to the system; only GNU's allocator is asked for it.

    Batches of ever other lengths leave gaps between what is still held. The allocator keeps them,
    so a process grows with every batch far beyond what it uses.
    """
    trim = _trim()
    return bool(trim(0)) if trim is not None else False


@lru_cache(maxsize=1)
def _trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
