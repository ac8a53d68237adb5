"""From the words of a recipe to the space that is searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from stage_place import DEFAULT, nested

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.recipe.load import recipe_from_dict
from luthier.recipe.recipe import Recipe
from luthier.search.budget import Limit
from luthier.search.parameter import Choice, Range
from luthier.search.space import Space
from luthier.search.trial import Config
from luthier.stages.tuning.configured import DEPTH, RATE
from luthier.stages.tuning.space import demand_effect, formula_first, soft_start, space_of

FORMULA = 1e-3


def recipe(space: Mapping[str, Any] | None = None, **changes: Any) -> Recipe:
    content = DEFAULT | {"model.id": "base", "tune.space": dict(space or {})} | changes
    return recipe_from_dict(nested(content))


def space(given: Mapping[str, Any] | None = None, **changes: Any) -> Space:
    return space_of(recipe(given, **changes), Task.CLASSIFY, FORMULA)


def test_the_recipes_own_values_are_the_default() -> None:
    found = space(**{"train.batch_size": 24, "adapter.rank": 6, "train.learning_rate": 2e-3})
    assert found.default["train.batch_size"] == 24 and found.default["adapter.rank"] == 6
    assert found.default[RATE] == pytest.approx(0.30103)


def test_alpha_and_passes_are_never_searched() -> None:
    names = space().names
    assert not {"adapter.alpha", "train.epochs", "train.max_steps", "train.seed"} & set(names)
    for key in ("train.epochs", "train.seed", "data.train", "fast.prefix_cache"):
        with pytest.raises(FixRecipe, match="cannot be searched"):
            space({key: [1, 2]})


def test_a_part_of_the_probe_is_searched_where_training_starts_at_one() -> None:
    assert space().default["train.probe_start"] == 0.3
    assert space(**{"train.probe_start": 1.0}).default["train.probe_start"] == 1.0
    assert "train.probe_start" not in space(**{"evaluate.probe": False}).names


def test_a_soft_start_is_the_recipe_with_the_least_part_of_the_probe() -> None:
    whole = {"train.probe_start": 1.0}
    found = space(**whole)
    assert soft_start(found) == [found.but(found.default, "train.probe_start", 0.3)]
    assert soft_start(space({"probe_start": [0.1, 0.3, 1.0]}))[0]["train.probe_start"] == 0.1
    assert soft_start(space()) == soft_start(space(**{"evaluate.probe": False})) == []
    assert soft_start(space({"probe_start": 1.0}, **whole)) == []


def test_learning_rates_are_given_as_rates() -> None:
    found = space({"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}})
    parameter = next(p for p in found.parameters if p.name == RATE)
    assert isinstance(parameter, Range)
    assert (parameter.low, parameter.high, parameter.mode) == (0.0, 2.0, 1.0)
    listed = space({"train.learning_rate": [1e-3, 1e-2, 1e-1]})
    options = next(p for p in listed.parameters if p.name == RATE)
    assert isinstance(options, Choice) and options.options == (0.0, 1.0, 2.0)
    assert next(p for p in space({"learning_rate": 1e-2}).parameters if p.name == RATE).fixed


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"low": 0.5, "high": 1.0}, "own 0.01 lies outside"),
        ([1e-4, 1e-3], "not among them"),
        (3e-3, "not among them"),
        ([1e-2, -1.0], "no learning rate"),
    ],
)
def test_rates_that_cannot_be_are_refused(bounds: Any, words: str) -> None:
    with pytest.raises(FixRecipe, match=words):
        space({"learning_rate": bounds})


def test_a_key_is_added_fixed_or_bounded() -> None:
    found = space({"rank": [8, 16, 128], "batch_size": [8, 16]})
    by_name = {p.name: p for p in found.parameters}
    assert by_name["adapter.rank"] == Choice("adapter.rank", (8, 16, 128), (1.0,) * 3, 16)
    assert by_name["train.batch_size"].default == 8
    with pytest.raises(FixRecipe, match="in the recipe instead"):
        space({"rank": 9})


def test_a_parameter_without_effect_is_refused() -> None:
    around = space()

    def deaf(config: Config) -> Recipe:
        """A model of one layer: every depth is the same."""
        return recipe(**{k: v for k, v in config.items() if k not in (RATE, DEPTH)},
                      **{"train.learning_rate": 10.0 ** float(config[RATE])})  # fmt: skip

    with pytest.raises(FixRecipe, match=f"tune.space.{DEPTH}"):
        demand_effect(around, deaf)
    heard = Space(tuple(p for p in around.parameters if p.name != DEPTH))
    demand_effect(heard, deaf)


@pytest.mark.parametrize(
    ("budget", "small"),
    [("60s", True), ("110s", True), ("10min", False), ("1 trial", True), ("2 trials", False),
     ("1x one run", True), ("3x", False)],
)  # fmt: skip
def test_a_budget_below_one_run_is_told_before_training(budget: str, small: bool) -> None:
    why = Limit.read(budget).too_small(run_seconds=90)
    assert (why is not None) == small
    if why:
        assert "1.5 minutes" in why and "no room" in why


def test_a_rate_of_the_users_own_is_not_taken_for_likely_and_the_formulas_goes_next() -> None:
    found = space(**{"train.learning_rate": FORMULA / 20})
    rate = next(p for p in found.parameters if p.name == RATE)
    assert rate.default == pytest.approx(-1.30103)
    assert abs(float(rate.quantile(0.5))) < 0.1
    (first,) = formula_first(found)
    assert first == {**found.default, RATE: 0.0}
    assert formula_first(space(**{"train.learning_rate": FORMULA})) == []
