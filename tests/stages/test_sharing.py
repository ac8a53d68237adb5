"""When several processes hold the model in parts, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.core.errors import FixRecipe
from luthier.recipe.load import recipe_from_dict
from luthier.recipe.recipe import Recipe
from luthier.stages.forecast.rules import Body
from luthier.stages.forecast.sharing import Crowd, shard_path


def _recipe(shard: str, **sections: Any) -> Recipe:
    given = {"data": {"train": "rows.csv"}, "fast": {"shard": shard}}
    return recipe_from_dict(given | sections, "a recipe")


def _body(weights: float, trained: int, crowd: Crowd) -> Body:
    return Body(False, False, 2, 8, 16, int(weights), trained, None, None, crowd=crowd)


@pytest.mark.parametrize(
    ("weights", "trained", "free", "on"),
    [
        (700e6, 0, 1e9, False),
        (900e6, 0, 1e9, True),
        (300e6, 60_000_000, 1e9, True),
        (300e6, 30_000_000, 1e9, False),
    ],
)
def test_auto_cuts_only_what_does_not_fit(
    weights: float, trained: int, free: float, on: bool
) -> None:
    verdict = shard_path(_recipe("auto"), _body(weights, trained, Crowd(2, free)))
    assert verdict.on is on
    assert ("does not fit" in verdict.why) is on
    assert f"{(weights + 12 * trained) / 1e6:.0f} MB" in verdict.why and "1000" in verdict.why


@pytest.mark.parametrize("shard", ["auto", "off"])
def test_one_process_never_cuts(shard: str) -> None:
    assert not shard_path(_recipe(shard), _body(1e12, 0, Crowd())).on


def test_off_is_off_even_where_it_does_not_fit() -> None:
    verdict = shard_path(_recipe("off"), _body(1e12, 0, Crowd(2, 1e9)))
    assert (verdict.on, verdict.why) == (False, "switched off in the recipe")


@pytest.mark.parametrize(
    ("crowd", "sections", "why"),
    [
        (Crowd(), {}, r"there is one process\. two processes or more\. torchrun"),
        (Crowd(2, 1e9, "the parameter x is held in uint8"), {}, "held in uint8"),
        (Crowd(2, 1e9), {"train": {"optimizer": {"kind": "adafactor"}}}, "adafactor"),
        (Crowd(2, 1e9), {"evaluate": {"harness": ["arc_easy"]}}, "harness"),
    ],
)
def test_what_cannot_be_cut(crowd: Crowd, sections: dict[str, Any], why: str) -> None:
    body = _body(1e12, 0, crowd)
    with pytest.raises(FixRecipe, match=rf"fast\.shard: it is not possible: .*{why}"):
        shard_path(_recipe("on", **sections), body)
    assert not shard_path(_recipe("auto", **sections), body).on


def test_on_cuts_what_would_fit() -> None:
    assert shard_path(_recipe("on"), _body(1.0, 0, Crowd(2, 1e9))).on
