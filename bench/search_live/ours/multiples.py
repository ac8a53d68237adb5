"""An ordinary run, or one with a search of the default budget before it: what it takes in all."""

from __future__ import annotations

from pathlib import Path

import torch
from gate import Gate, cpu_seconds

from luthier.core.progress import Silence
from luthier.recipe.load import recipe_from_dict
from luthier.recipe.tune import Tune
from luthier.stages.api import run
from luthier.store.store import Store
from recipe import recipe


def main() -> None:
    """Answers wall and processor seconds of the run, libraries loaded before."""
    gate = Gate()
    given, place = gate.given, Path(gate.given["place"])
    torch.set_num_threads(given["threads"])
    budget = Tune().budget if given["search"] else None
    loaded = recipe_from_dict(recipe(given, budget), given["task"])
    before = cpu_seconds()
    home = place / ("searched" if given["search"] else "plain")
    done = run(loaded, place, Silence(), Store.open(folder=home))
    gate.tell(
        wall=done.seconds,
        cpu=cpu_seconds() - before,
        budget=budget,
        trials=len(done.search["trials"]) if done.search else 0,
        stopped=done.search["stopped"] if done.search else "",
        test=done.metrics["tuned"]["accuracy"],
    )


if __name__ == "__main__":
    main()
