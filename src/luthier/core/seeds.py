"""Seeds as values: every random choice is drawn from a seed derived by name."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream called `names` under `seed`.

    Streams with different names are independent, so adding a consumer never shifts another.

    >>> derive(13, "split") == derive(13, "split")
    True
    >>> derive(13, "split") == derive(13, "order")
    False
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
