"""Peak memory of an ordinary run, or of a search with many trials open at the same time."""

from __future__ import annotations

from pathlib import Path

import torch
from gate import Gate, peak_mb

from luthier.core.progress import Silence
from luthier.recipe.load import recipe_from_dict
from luthier.search.trial import Slice
from luthier.stages.api import run
from luthier.stages.tuning.configured import default_space
from luthier.stages.tuning.costs import TrialCosts
from luthier.stages.tuning.shared import SharedBase
from luthier.stages.workshop import set_up
from luthier.store.store import Store
from recipe import recipe


def main() -> None:
    """Answers the peak of this process in MB."""
    gate = Gate()
    given, place = gate.given, Path(gate.given["place"])
    torch.set_num_threads(given["threads"])
    loaded = recipe_from_dict(recipe(given), given["task"])
    if given["open"] == 0:
        run(loaded, place, Silence(), Store.open(folder=place / "home"))
        gate.tell(peak_mb=peak_mb())
        return
    shop = set_up(loaded, place, place / "many", None, Silence())
    shared = SharedBase.begin(shop, place / "many")
    shared.extra = TrialCosts(shared).measures
    space = default_space(shop.recipe, shop.task)
    configs = [dict(space.default), *map(dict, space.spread(given["open"] - 1, 0))]
    # Twice around, so that each trial is frozen and thawed with the others open.
    for until in (1, 2):
        for number, config in enumerate(configs):
            shared.advance(Slice(f"t{number}", config, until))
    gate.tell(peak_mb=peak_mb(), open=len(configs))


if __name__ == "__main__":
    main()
