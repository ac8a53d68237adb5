"""Where a store of a test is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luthier.store.store import Store


@dataclass(frozen=True)
class Place:
    """Where a store is: its URL (None: a file in the folder) and its folder."""

    url: str | None
    folder: Path

    def open(self) -> Store:
        """The store, opened anew."""
        return Store.open(self.url, self.folder)
