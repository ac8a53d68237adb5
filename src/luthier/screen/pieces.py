"""Pieces of a text that are screened on their own; where they end depends on the text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

LEAST = 200
"""Characters of a piece before a sentence may end it."""
LINES = 600
"""Characters of a piece before a line may end it."""
MOST = 8192
"""Characters of a piece at which it ends anywhere; the longest that is held back."""
_SENTENCE = re.compile(r"[a-z0-9)\"'\]]{2}[.!?][\"')\]]?\s|\n")
_SOFT = re.compile(r"\s|[,;&\"'<>](?!\d)")


class Cutter:
    """Cuts a text that comes in any chunks into the same pieces."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, chunk: str) -> Iterator[str]:
        """The pieces that are complete now."""
        self._held += chunk
        at = 0
        while (end := _end(self._held, at)) is not None:
            yield self._held[at:end]
            at = end
        self._held = self._held[at:]

    def finish(self) -> Iterator[str]:
        """What was held back, as a last piece."""
        if self._held:
            yield self._held
        self._held = ""


def pieces(text: str) -> list[str]:
    """The pieces of a whole text; joined they are the text.

    >>> len(pieces("word " * 4000))
    3
    """
    cutter = Cutter()
    return [*cutter.feed(text), *cutter.finish()]


def _end(text: str, start: int) -> int | None:
    """Where the piece that begins at `start` ends, or None while that is open."""
    limit = start + MOST
    key = text.find("PRIVATE KEY", start, limit)
    place = start + LEAST
    while met := _SENTENCE.search(text, place, limit):
        end = met.end()
        line = text[met.start()] == "\n"
        inside = 0 <= key < end and text.find("-----END", key, end) < 0
        if not inside and (not line or end - start >= LINES):
            return end
        place = met.start() + 1
    if len(text) < limit:
        return None
    for met in reversed(list(_SOFT.finditer(text, limit - 512, limit - 1))):
        return met.end()
    return limit
