"""Started by torchrun in test_sharded_runs.py: whole runs held in parts by all processes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from luthier.core.errors import ResumeLater
from luthier.recipe.load import load_recipe
from luthier.recipe.recipe import Recipe
from luthier.stages import api
from luthier.store.store import Store
from luthier.train.world import World

STOP_AT = 3


class StopTraining:
    """A listener that asks this process to stop after some updates, as a person would."""

    def __init__(self, here: bool) -> None:
        self.here, self.stage, self.done = here, "", 0

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Remembers the stage."""
        self.stage = name

    def advance(self, units: int = 1, note: str = "") -> None:
        """Counts updates."""
        if self.stage == "training":
            self.done += units
            if self.done == STOP_AT and self.here:
                os.kill(os.getpid(), signal.SIGTERM)

    def say(self, message: str) -> None:
        """Ignored."""


def recipe_of(place: Path, name: str, shard: str) -> Recipe:
    """A recipe of the folder, with the sharing of this test."""
    return load_recipe(place / f"{name}.yaml", [f"fast.shard={shard}"])


def interrupted(place: Path, store: Store, shard: str, here: bool) -> None:
    """A run that is stopped; the signal reaches one process only."""
    recipe = recipe_of(place, "classify", shard)
    try:
        api.run(recipe, place, StopTraining(here), store)
    except ResumeLater:
        return
    raise AssertionError("it was not interrupted")


def main(folder: str, begun: str) -> None:
    """Two runs from start to end, one that another process began, and one for another to end."""
    place, world = Path(folder), World.join()
    store = Store.open(folder=place / "home")
    for name in ("classify", "instruct"):
        api.run(recipe_of(place, name, "on"), place, None, store)
    api.resume(begun, store)
    interrupted(place, store, "on", here=world.rank == 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
