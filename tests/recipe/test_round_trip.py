"""What is written down is read back the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import FixRecipe
from luthier.recipe import Recipe, recipe_from_dict
from luthier.recipe.load import dump_recipe, parse_yaml

_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20
)
_ADAPTERS = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.just("lora")},
        optional={
            "rank": st.integers(1, 1024),
            "alpha": st.floats(1e-6, 1e6),
            "dropout": st.floats(0, 0.99),
            "targets": st.one_of(st.just("all-linear"), st.lists(_TEXT, max_size=3)),
            "top_layers": st.one_of(st.none(), st.integers(1, 64)),
            "decomposed": st.booleans(),
        },
    ),
    st.fixed_dictionaries({"kind": st.sampled_from(["ia3", "full", "none"])}),
)
_RECIPES = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"train": _TEXT},
            optional={
                "test": st.one_of(st.none(), _TEXT),
                "encoding": st.sampled_from(["utf-8", "latin-1"]),
                "columns": st.fixed_dictionaries(
                    {},
                    optional={
                        "text": st.one_of(_TEXT, st.lists(_TEXT, max_size=3)),
                        "label": _TEXT,
                    },
                ),
                "split": st.fixed_dictionaries({"test": st.floats(0, 0.89)}),
                "max_rows": st.integers(1, 10**9),
            },
        )
    },
    optional={
        "name": st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_ .-]{0,63}", fullmatch=True),
        "task": st.sampled_from(["auto", "classify", "tag", "instruct", "prefer"]),
        "adapter": _ADAPTERS,
        "train": st.fixed_dictionaries(
            {},
            optional={
                "learning_rate": st.one_of(st.just("auto"), st.floats(1e-12, 10.0)),
                "epochs": st.floats(0, 1e6),
                "patience": st.one_of(st.none(), st.integers(1, 100)),
                "seed": st.integers(-(2**40), 2**40),
            },
        ),
        "fast": st.fixed_dictionaries({"pack": st.sampled_from(["auto", "on", "off"])}),
    },
)


@settings(max_examples=40, deadline=None)
@given(_RECIPES)
def test_written_recipe_is_read_back_equal(content: dict[str, Any]) -> None:
    recipe = recipe_from_dict(content)
    assert recipe_from_dict(parse_yaml(dump_recipe(recipe), "written")) == recipe


@settings(max_examples=40, deadline=None)
@given(_RECIPES)
def test_recipe_without_defaults_is_read_back_equal(content: dict[str, Any]) -> None:
    recipe = recipe_from_dict(content)
    short = parse_yaml(dump_recipe(recipe, only_given=True), "written")
    assert recipe_from_dict(short) == recipe


@settings(max_examples=40, deadline=None)
@given(_RECIPES)
def test_overriding_with_its_own_values_changes_nothing(content: dict[str, Any]) -> None:
    recipe = recipe_from_dict(content)
    flags = [f"train.seed={recipe.train.seed}", f"fast.pack={recipe.fast.pack}"]
    assert recipe_from_dict(content, overrides=flags) == recipe


@given(st.text(max_size=200))
def test_any_text_is_a_recipe_or_a_clear_refusal(text: str) -> None:
    try:
        recipe = recipe_from_dict(parse_yaml(text, "text"), "text")
    except FixRecipe as error:
        assert str(error).startswith("text")
    else:
        assert isinstance(recipe, Recipe)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["data", "train", "adapter", "kind", "x"]), inner),
        ),
        max_leaves=12,
    )
)
def test_any_value_is_a_recipe_or_a_clear_refusal(value: Any) -> None:
    content = value if isinstance(value, dict) else {"data": value}
    try:
        recipe_from_dict(content, "value")
    except FixRecipe as error:
        assert str(error).startswith("value")
