"""Progress as a protocol, so that work can report without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Who is told how far the work is."""

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A new piece of work called `name` with `total` units begins (None: unknown)."""

    def advance(self, units: int = 1, note: str = "") -> None:
        """`units` more are done; `note` is a short status such as the loss."""

    def say(self, message: str) -> None:
        """A line for the reader."""


class Silence:
    """A listener that ignores everything."""

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Ignored."""

    def advance(self, units: int = 1, note: str = "") -> None:
        """Ignored."""

    def say(self, message: str) -> None:
        """Ignored."""
