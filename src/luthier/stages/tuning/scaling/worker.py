"""What a worker sets up: the run's base, tokens and halves once more, in a process of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.progress import Silence
from luthier.recipe.load import recipe_from_dict
from luthier.search.trial import Observation, Slice
from luthier.stages.tuning.costs import TrialCosts
from luthier.stages.tuning.goal import asks_latency
from luthier.stages.tuning.shared import SharedBase
from luthier.stages.workshop import set_up
from luthier.store.artefacts import Artefacts

FACTORY = "luthier.stages.tuning.scaling.worker:begin_worker"
PLACES = ("here", "base", "run", "home")


def begin_worker(
    recipe: dict[str, Any], places: Mapping[str, str], metric: str, precision: str
) -> Callable[[Slice], Observation]:
    """What advances a slice of the run whose recipe, as it was given, and places these are.

    `here` is the folder the search was started in, `base` the one where the recipe's paths start,
    `run` that of the run, `home` that of the store. States lie in the run's folder, so that any
    worker goes on where another stopped; tables and kept prefixes are the worker's own.

    Raises: CheckRun when a place cannot be reached, FixRecipe when this machine would compute in
    another precision, and what setting up a run raises.
    """
    machine = socket.gethostname()
    for name in PLACES:
        if not Path(places[name]).is_dir():
            raise CheckRun(
                places[name],
                f"the worker on {machine} cannot reach this folder",
                "a folder that all machines have under the same path",
                "put data and --home on a shared disk",
            )
    os.chdir(places["here"])
    search = Path(places["run"]) / "search"
    own = search / "workers" / f"{machine}-{os.getpid()}"
    own.mkdir(parents=True, exist_ok=True)
    typed = recipe_from_dict(recipe, f"the recipe of {places['run']}")
    shop = set_up(typed, Path(places["base"]), own, Artefacts(Path(places["home"])), Silence())
    if shop.base.spec.precision != precision:
        raise FixRecipe(
            "model.precision",
            f"the search began in {precision} and {machine} chose {shop.base.spec.precision}",
            advice=f"set model.precision: {precision}",
        )
    shared = SharedBase.begin(shop, search, metric=metric)
    shared.kept = own
    asked = typed.tune is not None and asks_latency(typed.tune)
    shared.extra = TrialCosts(shared, asked).measures
    return shared.advance
