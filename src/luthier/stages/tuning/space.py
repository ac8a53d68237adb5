"""The space of a recipe: the usual parameters, and what its `tune.space` adds or replaces."""

from __future__ import annotations

import math
from collections.abc import Callable

from luthier.core.errors import FixRecipe, nearest
from luthier.core.types import Task
from luthier.recipe.recipe import Recipe
from luthier.recipe.tune import Bounds
from luthier.search.parameter import Choice, Parameter, Range
from luthier.search.samplers.simple import RATE
from luthier.search.space import Space
from luthier.search.trial import Config, Value
from luthier.stages.tuning.configured import DEPTH, configured, default_space, rate_offset

SHORT = {
    "learning_rate": RATE,
    "train.learning_rate": RATE,
    "batch_size": "train.batch_size",
    "rank": "adapter.rank",
    "dropout": "adapter.dropout",
    "weight_decay": "train.optimizer.weight_decay",
    "warmup": "train.schedule.warmup",
    "head_rate": "train.head_rate",
    "probe_start": "train.probe_start",
    "b_rate": "adapter.b_rate",
}
"""Short names of the usual parameters."""

PLACES = 8
"""Values of a range that are looked at."""

NEVER = ("train.epochs", "train.max_steps", "train.seed", "train.validations", "train.patience",
         "train.stack")  # fmt: skip
"""Keys that say how long or how often, not how, or what comes after training: no parameters."""


def space_of(recipe: Recipe, task: Task, formula: float) -> Space:
    """The space in which a resolved recipe is searched, whose learning rate would be `formula` if
    it said none. Bounds of `learning_rate` are rates, and become offsets from the formula.

    Raises: FixRecipe for a key that no recipe has, one that cannot be searched, or a space that
    leaves the recipe's own value out.
    """
    offset = rate_offset(float(recipe.train.learning_rate), formula)
    usual = {p.name: p for p in default_space(recipe, task, offset).parameters}
    for given, bounds in (recipe.tune.space if recipe.tune else {}).items():
        name = SHORT.get(given, given)
        if name in NEVER or name.startswith(("data.", "evaluate.", "tune.", "fast.", "model.")):
            raise FixRecipe(
                f"tune.space.{given}",
                "it cannot be searched: trials share the data, the base and the measure, and "
                "passes are bought by the search itself",
                f"such as {', '.join(sorted(SHORT))}",
            )
        if given in ("learning_rate", "train.learning_rate"):
            bounds = _offsets(bounds, formula, float(recipe.train.learning_rate))
        usual[name] = _parameter(name, bounds, recipe, usual.get(name))
    space = Space(tuple(usual.values()))
    _try(recipe, space)
    return space


def formula_first(space: Space) -> list[Config]:
    """The recipe with the learning rate of the formula, where its own is another by more than a
    quarter and the formula's may be searched: the likeliest gain there is."""
    rate = next((p for p in space.parameters if p.name == RATE), None)
    if rate is None or abs(float(rate.default)) < 0.1 or not rate.holds(0.0):
        return []
    return [space.but(space.default, RATE, 0.0)]


def soft_start(space: Space) -> list[Config]:
    """The recipe with training started from the least part of the probe that may be searched.

    It is worth a whole run where there is time for several: on some tasks it ends clearly higher,
    on others lower, and as it begins behind, what it shows early does not tell which.
    """
    share = next((p for p in space.parameters if p.name == "train.probe_start"), None)
    if not isinstance(share, Choice) or share.default == min(map(float, share.options)):
        return []
    return [space.but(space.default, share.name, min(map(float, share.options)))]


def _offsets(bounds: Bounds, formula: float, own: float) -> Bounds:
    """Learning rates as decades from the formula.

    Raises: FixRecipe for one that is no number above zero, or when the recipe's own lies outside.
    """
    place = "tune.space.learning_rate"
    low, high = bounds.low, bounds.high
    if low is not None and high is not None and not low <= own <= high:
        raise FixRecipe(place, f"the recipe's own {own:g} lies outside", f"{low:g} to {high:g}",
                        "widen the range, or set train.learning_rate")  # fmt: skip
    if bounds.value not in (None, own) or (bounds.options and own not in bounds.options):
        raise FixRecipe(place, f"the recipe's own {own:g} is not among them",
                        advice="add it, or set train.learning_rate")  # fmt: skip

    def decades(rate: Value | None) -> float | None:
        if rate is None:
            return None
        if isinstance(rate, str) or rate <= 0:
            raise FixRecipe(place, f"{rate!r} is no learning rate", "numbers above 0, as 2e-4")
        return rate_offset(rate, formula)

    options = bounds.options and tuple(decades(o) or 0.0 for o in bounds.options)
    changed = {"low": decades(bounds.low), "high": decades(bounds.high), "log": False}
    return bounds.model_copy(update=changed | {"options": options, "value": decades(bounds.value)})


def _parameter(name: str, bounds: Bounds, recipe: Recipe, usual: Parameter | None) -> Parameter:
    own = _own(name, recipe, usual)
    if bounds.value is not None:
        # A value other than the recipe's own would move the default of the whole search.
        if name != DEPTH and bounds.value != own:
            raise FixRecipe(
                f"tune.space.{name}",
                f"it is fixed at {bounds.value!r} and the recipe says {own!r}",
                advice=f"set {name}: {bounds.value!r} in the recipe instead",
            )
        return Choice(name, (bounds.value,), (1.0,), bounds.value)
    if bounds.options is not None:
        numbers = all(not isinstance(o, str) for o in bounds.options)
        options = tuple(sorted(bounds.options)) if numbers else bounds.options  # type: ignore[type-var]
        return Choice(name, options, (1.0,) * len(options), own, ordered=numbers)
    assert bounds.low is not None and bounds.high is not None
    if isinstance(own, str):
        raise FixRecipe(f"tune.space.{name}", f"it is {own!r}, no number", "a list of options")
    width = bounds.high - bounds.low
    if bounds.log and bounds.low > 0:
        width = math.log10(bounds.high / bounds.low)
    return Range(name, bounds.low, bounds.high, float(own), width / 3, bounds.log)


def demand_effect(space: Space, recipe_of: Callable[[Config], Recipe]) -> None:
    """Passes when every parameter that is searched changes the recipe of a trial.

    Raises: FixRecipe for one that changes nothing: searching it would waste the budget.
    """
    usual = recipe_of(space.default)
    for parameter in space.parameters:
        if parameter.fixed:
            continue
        others = {parameter.quantile((place + 0.5) / PLACES) for place in range(PLACES)}
        if isinstance(parameter, Choice):
            others = set(parameter.options)
        changed = (
            space.but(space.default, parameter.name, v) for v in others - {parameter.default}
        )
        if all(recipe_of(config) == usual for config in changed):
            raise FixRecipe(
                f"tune.space.{parameter.name}", "no value of it changes the run here",
                "parameters that this model and this recipe use", "leave it out",
            )  # fmt: skip


def _own(name: str, recipe: Recipe, usual: Parameter | None) -> Value:
    if usual is not None:
        return usual.default
    found = recipe.model_dump(mode="json")
    for key in name.split("."):
        if not isinstance(found, dict) or key not in found:
            near = nearest(name, (*SHORT, *SHORT.values()))
            raise FixRecipe(
                f"tune.space.{name}", "no recipe has this key", f"{', '.join(SHORT)}, or any key "
                "of a recipe", f"did you mean {near!r}?" if near else "",
            )  # fmt: skip
        found = found[key]
    if isinstance(found, bool) or not isinstance(found, float | int | str):
        raise FixRecipe(f"tune.space.{name}", "it holds no single number or word")
    return found


def _try(recipe: Recipe, space: Space) -> None:
    """Puts every end of the space into the recipe once, so that a value it refuses is met now."""
    for parameter in space.parameters:
        ends = (
            parameter.options if isinstance(parameter, Choice) else (parameter.low, parameter.high)
        )
        for value in ends:
            if parameter.name not in (RATE, DEPTH):
                configured(recipe, {parameter.name: value}, 1)
