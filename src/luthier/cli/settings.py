"""What every verb may be told: how to answer, and where runs are kept."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luthier.cli.listener import Listener, open_listener

if TYPE_CHECKING:
    from luthier.store.store import Store

AsJson = Annotated[
    bool, typer.Option("--json", help="Answer with JSON in the last line of standard output.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Database of the runs, such as postgresql://host/name; else a file under --home.",
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="FOLDER",
        help="Folder of runs and caches; else $LUTHIER_HOME, else ~/.luthier.",
    ),
]


@dataclass(frozen=True)
class Settings:
    """The answer to the shared options."""

    json: bool = False
    quiet: bool = False
    store_url: str | None = None
    home: Path = Path()

    def listener(self) -> AbstractContextManager[Listener]:
        """Who is told how far the work is, for the length of a `with` block."""
        return open_listener(silent=self.quiet or not is_first_process())

    def open_store(self) -> Store:
        """The run store under `home`, or at the URL with its files under `home`.

        Raises: RepairStore, FreeDisk.
        """
        from luthier.store.store import Store

        return Store.open(self.store_url, self.home)


def is_first_process() -> bool:
    """Whether this process speaks for all that torchrun has started."""
    return os.environ.get("RANK", "0") == "0"
