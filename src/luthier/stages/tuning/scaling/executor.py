"""The executor a recipe asks for."""

from __future__ import annotations

from pathlib import Path

from luthier.recipe.tune import Tune
from luthier.search.executors.local import Local
from luthier.search.executors.ray import ray_executor
from luthier.search.trial import Executor
from luthier.stages.tuning.scaling.worker import FACTORY
from luthier.stages.tuning.shared import SharedBase
from luthier.store.store import RunRecord, Store


def open_executor(section: Tune, shared: SharedBase, record: RunRecord, store: Store) -> Executor:
    """Advances trials on the base of this process, or on workers that have one each.

    Raises: InstallExtra without Ray, FixRecipe when the cluster is too small or silent.
    """
    if section.executor == "local":
        return Local(shared.advance)
    places = {
        "here": str(Path.cwd()),
        "base": str(record.facts["base_folder"]),
        "run": str(record.path.resolve()),
        "home": str(store.folder.resolve()),
    }
    arguments = {
        "recipe": dict(record.recipe),
        "places": places,
        "metric": shared.metric,
        "precision": shared.shop.base.spec.precision,
    }
    return ray_executor(FACTORY, arguments, section.workers, section.address)
