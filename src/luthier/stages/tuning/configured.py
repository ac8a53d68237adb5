"""From a configuration of the search to a recipe, and the space a recipe is searched in."""

from __future__ import annotations

import math
from typing import Any

from luthier.core.types import Task
from luthier.recipe.load import recipe_from_dict
from luthier.recipe.model import Full, Ia3, Lora
from luthier.recipe.recipe import Recipe
from luthier.search.parameter import Choice, Parameter, Range
from luthier.search.samplers.simple import RATE
from luthier.search.space import Space
from luthier.search.trial import Config, Value
from luthier.stages.combinations import SOFT_START, probe_start, starts_at_probe

DEPTH = "depth"
"""Share of the layers that are adapted, from the top."""

DEPTHS = ("all", "half", "third", "one")
RANKS = (4, 8, 16, 32, 64)
BATCHES = (8, 16, 32, 64)


def default_space(recipe: Recipe, task: Task, offset: float = 0.0) -> Space:
    """The space around a resolved recipe, whose own values are the default; `offset` is that of
    its learning rate, in decades from the formula.

    The prior of each parameter is centred on what the recipe says, that of the learning rate on the
    formula: a rate of the user's own is tried first and not taken for likely. Alpha is not
    searched: with a searched learning rate it is redundant. Source: the ranges follow "LoRA Without
    Regret" (Schulman et al. 2025), LoRA+ (Hayou et al. 2024) and the tinker-cookbook sweeps.
    """
    train, adapter = recipe.train, recipe.adapter
    found: list[Parameter] = [
        Range(RATE, min(-1.5, offset - 1), max(1.5, offset + 1), offset,
              max(0.35, abs(offset) / 3), centre=0.0),
        _options("train.batch_size", BATCHES, train.batch_size, (0.15, 0.35, 0.35, 0.15)),
        Range("train.optimizer.weight_decay", 1e-4, 0.3, _inside(
            train.optimizer.weight_decay, 1e-4, 0.3), 0.7, log=True),
        _options("train.schedule.warmup", (0.03, 0.06, 0.1), train.schedule.warmup,
                 (0.35, 0.4, 0.25)),
    ]  # fmt: skip
    if isinstance(adapter, Lora | Ia3 | Full):
        depth = depth_name(adapter.top_layers)
        found.append(Choice(DEPTH, DEPTHS, (0.5, 0.2, 0.2, 0.1), depth) if depth in DEPTHS
                     else Choice(DEPTH, (depth,), (1.0,), depth))  # fmt: skip
    if isinstance(adapter, Lora):
        found += [
            _options("adapter.rank", RANKS, adapter.rank, (0.1, 0.25, 0.4, 0.2, 0.05)),
            _options("adapter.dropout", (0.0, 0.05, 0.1, 0.2), adapter.dropout,
                     (0.4, 0.2, 0.3, 0.1)),
            _options("adapter.b_rate", (1.0, 4.0, 16.0), adapter.b_rate, (0.6, 0.3, 0.1)),
        ]  # fmt: skip
    if not task.generates:
        head_rate = 1.0 if train.head_rate == "auto" else train.head_rate
        found.append(_options("train.head_rate", (1.0, 3.0, 10.0), head_rate, (0.4, 0.3, 0.3)))
    if starts_at_probe(recipe, task):
        share = probe_start(recipe, task)
        found.append(_options("train.probe_start", (SOFT_START, 1.0), share, (0.6, 0.4)))
    return Space(tuple(found))


def rate_offset(rate: float, formula: float) -> float:
    """Decades between a learning rate and that of the formula, to six digits.

    >>> rate_offset(1e-3, 1e-4), rate_offset(3e-4, 3e-4)
    (1.0, 0.0)
    """
    return round(math.log10(rate / formula), 6)


def depth_name(top_layers: int | None) -> str:
    """How the space calls a number of adapted layers that a recipe fixes."""
    return "all" if top_layers is None else f"{top_layers} layers"


def adapted_layers(depth: str, layers: int) -> int | None:
    """The number of adapted layers of a model with so many; None for all of them."""
    if depth == "all":
        return None
    if depth.endswith(" layers"):
        return int(depth.removesuffix(" layers"))
    return max(1, round(layers / {"half": 2, "third": 3, "one": layers}[depth]))


def configured(recipe: Recipe, config: Config, layers: int) -> Recipe:
    """The resolved recipe with a configuration put in, except the learning rate's offset, which
    needs the formula of the result.

    Raises: FixRecipe when a value does not fit its key.
    """
    content = recipe.model_dump(mode="json")
    for name, value in config.items():
        if name == DEPTH:
            content["adapter"]["top_layers"] = adapted_layers(str(value), layers)
        elif name != RATE:
            _put(content, name, value)
    return recipe_from_dict(content, "the configuration of a trial")


def _put(content: dict[str, Any], name: str, value: Value) -> None:
    *path, last = name.split(".")
    for key in path:
        content = content[key]
    content[last] = value


def _options(
    name: str, options: tuple[Value, ...], own: Value, weights: tuple[float, ...]
) -> Choice:
    """A choice that holds the recipe's own value too, in order, with a middling weight."""
    if own in options:
        return Choice(name, options, weights, own)
    pairs = sorted([*zip(options, weights, strict=True), (own, max(weights))])
    return Choice(name, tuple(o for o, _ in pairs), tuple(w for _, w in pairs), own)


def _inside(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))
