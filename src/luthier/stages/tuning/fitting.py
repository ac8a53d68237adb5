"""From a configuration to the recipe and the assembled network of a trial, and where it starts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.evaluate.baseline import LinearProbe
from luthier.models.build import assemble, build_adapter, build_head
from luthier.recipe.recipe import Recipe
from luthier.search.samplers.simple import RATE
from luthier.search.trial import Config, Slice
from luthier.stages import planning
from luthier.stages.parts.answers import features, truth_of
from luthier.stages.tuning.configured import configured, rate_offset
from luthier.stages.workshop import Workshop
from luthier.train.schedule import default_rate


@dataclass
class Vectors:
    """What the untouched base makes of examples, each set computed once."""

    shop: Workshop
    _made: dict[bytes, NDArray[np.float32]] = field(default_factory=dict)

    def __call__(self, examples: NDArray[np.int64]) -> NDArray[np.float32]:
        """One vector per example (N, D). No trial may be attached."""
        key = examples.tobytes()
        if key not in self._made:
            exam = self.shop.exam(self.shop.encoded, examples)
            self._made[key] = features(self.shop.network, exam)
        return self._made[key]


def formula_rate(shop: Workshop, recipe: Recipe | None = None) -> float:
    """The learning rate that the formula gives a recipe, the workshop's own by default.

    Needs nothing of other processes, so that one of several may ask alone.
    """
    asked = recipe or shop.recipe
    rate = default_rate(
        int(shop.network.plain.config.hidden_size),
        asked.train.batch_size,
        build_adapter(asked.adapter).rate_factor(),
        shop.network.kind == "causal",
    )
    return float(f"{rate:.4g}")


def own_offset(shop: Workshop) -> float:
    """How many decades the recipe's own learning rate lies above that of the formula."""
    return rate_offset(float(shop.recipe.train.learning_rate), formula_rate(shop))


def trial_recipe(shop: Workshop, config: Config) -> Recipe:
    """The resolved recipe of a configuration: what an ordinary run with it would be given."""
    found = configured(shop.recipe, config, shop.network.stack.layers)
    offset = float(config[RATE]) if RATE in config else own_offset(shop)
    rate = float(f"{formula_rate(shop, found) * 10**offset:.4g}")
    train = found.train.model_copy(update={"learning_rate": rate})
    # The recipe of a trial is that of an ordinary run: without a search of its own.
    return found.model_copy(update={"train": train, "tune": None})


def trial_seed(recipe: Recipe, piece: Slice) -> int:
    """The seed of first values and dropout: the recipe's own unless the trial repeats another."""
    own = recipe.train.seed
    return derive(own, "trial", piece.seed) if piece.seed else own


def trial_shop(shop: Workshop, piece: Slice) -> Workshop:
    """The workshop with a trial's network on the base. Whoever asks must take it off again."""
    recipe = trial_recipe(shop, piece.config)
    adapter = build_adapter(recipe.adapter)
    head = build_head(shop.task, shop.prepared.facts, recipe.train)
    network = assemble(shop.base, adapter, head, trial_seed(recipe, piece))
    legal = planning.paths(recipe, shop.task, network, adapter)
    head = build_head(shop.task, shop.prepared.facts, recipe.train, legal["chunked_loss"].on)
    timing = planning.schedule(recipe, len(shop.part(shop.prepared.splits.train)))
    return replace(shop, recipe=recipe, adapter=adapter, network=network, head=head,
                   legal=legal, timing=timing)  # fmt: skip


def whole_run(shop: Workshop) -> planning.Costs:
    """Memory and time of a whole run of an assembled trial.

    Raises: LowerMemory when it does not fit into what is free.
    """
    rows = shop.part(shop.prepared.splits.train)
    return planning.estimate(shop.network, shop.encoded, rows, shop.recipe, shop.timing.steps)


def fitted_probe(shop: Workshop, check: NDArray[np.int64], vectors: Vectors) -> LinearProbe | None:
    """A probe of the training rows whose strength is chosen on the examples `check`; None for
    tasks without classes, or where the recipe wants none."""
    if shop.task is not Task.CLASSIFY or not shop.recipe.evaluate.probe:
        return None
    train = shop.part(shop.prepared.splits.train)
    known, asked = ((vectors(e), truth_of(shop.exam(shop.encoded, e))) for e in (train, check))
    return LinearProbe.fit(shop.head.labels.names, known, asked)
