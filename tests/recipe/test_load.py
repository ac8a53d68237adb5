"""Reading a recipe: faults are told with file, line, key and the nearest valid key."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.recipe import load_recipe, recipe_from_dict
from luthier.recipe.load import parse_yaml
from luthier.recipe.model import Full, HeadOnly, Ia3, Lora


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def fault(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(FixRecipe) as caught:
        load_recipe(write(folder, text), overrides)
    return str(caught.value)


def test_shortest_recipe_has_every_default(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, "data:\n  train: rows.csv\n"))
    assert recipe.data.train == "rows.csv"
    assert recipe.task == "auto"
    assert isinstance(recipe.adapter, Lora)
    assert recipe.train.batch_size == 32


def test_unknown_key_names_file_line_and_nearest(tmp_path: Path) -> None:
    said = fault(tmp_path, "data:\n  train: a.csv\ntrain:\n  epochs: 2\n  learnign_rate: 1\n")
    assert f"{tmp_path / 'recipe.yaml'}, line 5" in said
    assert "'learnign_rate' is unknown in `train`" in said
    assert "did you mean 'train.learning_rate'?" in said


def test_unknown_key_at_the_top(tmp_path: Path) -> None:
    said = fault(tmp_path, "data:\n  train: a.csv\nadaptor: {}\n")
    assert "line 3" in said and "at the top level" in said and "'adapter'" in said


def test_key_in_the_wrong_section_is_found_elsewhere(tmp_path: Path) -> None:
    said = fault(tmp_path, "data:\n  train: a.csv\nbatch_size: 8\n")
    assert "did you mean 'train.batch_size'?" in said


def test_key_of_another_adapter_is_unknown(tmp_path: Path) -> None:
    said = fault(tmp_path, "data:\n  train: a.csv\nadapter:\n  kind: ia3\n  rank: 8\n")
    assert "line 5" in said and "'rank' is unknown in `adapter`" in said


def test_unknown_adapter_lists_the_kinds(tmp_path: Path) -> None:
    said = fault(tmp_path, "data:\n  train: a.csv\nadapter:\n  kind: lroa\n")
    assert "lora, ia3, full, none" in said and "did you mean 'lora'?" in said


def test_wrong_choice_names_the_nearest(tmp_path: Path) -> None:
    said = fault(tmp_path, "data:\n  train: a.csv\ntask: clasify\n")
    assert "line 3" in said and "did you mean 'classify'?" in said


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("train:\n  batch_size: 0\n", "train.batch_size"),
        ("train:\n  epochs: -1\n", "train.epochs"),
        ("data:\n  train: a\n  split: {test: 0.95}\n", "data.split.test"),
        ("train:\n  batch_size: many\n", "train.batch_size"),
        ("evaluate:\n  draws: 5\n", "evaluate.draws"),
        ("safety:\n  privacy: {epsilon: .inf}\n", "safety.privacy.epsilon"),
    ],
)
def test_impossible_value_names_key_and_value(tmp_path: Path, text: str, key: str) -> None:
    whole = text if text.startswith("data") else "data:\n  train: a\n" + text
    assert f"`{key}` is" in fault(tmp_path, whole)


def test_what_a_section_says_of_itself_stands_alone(tmp_path: Path) -> None:
    said = fault(tmp_path, "data: {train: a}\nsafety:\n  privacy: {epsilon: 3, unit: column}\n")
    assert "belong together" in said and "value error" not in said


def test_missing_data_is_named(tmp_path: Path) -> None:
    assert "'data' is missing" in fault(tmp_path, "task: classify\n")
    assert "'data.train' is missing" in fault(tmp_path, "data:\n  validation: b.csv\n")


@pytest.mark.parametrize("spelling", ["1e-4", "1E-4", "0.0001", "1.0e-4", "+1e-4"])
def test_numbers_are_those_of_yaml_1_2(tmp_path: Path, spelling: str) -> None:
    text = f"data:\n  train: a.csv\ntrain:\n  learning_rate: {spelling}\n"
    rate = load_recipe(write(tmp_path, text)).train.learning_rate
    assert isinstance(rate, float) and rate == pytest.approx(1e-4)


@pytest.mark.parametrize("word", ["no", "yes", "on", "off"])
def test_words_of_yaml_1_1_stay_words(tmp_path: Path, word: str) -> None:
    assert load_recipe(write(tmp_path, f"name: {word}\ndata:\n  train: a\n")).name == word


def test_a_fast_path_may_be_switched_off(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, "data:\n  train: a\nfast:\n  pack: off\n"))
    assert recipe.fast.pack == "off"


def test_repeated_key_is_refused(tmp_path: Path) -> None:
    said = fault(tmp_path, "data:\n  train: a\n  train: b\n")
    assert "line 3" in said and "duplicate" in said


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    assert "line" in fault(tmp_path, "data:\n  train: [a\n")


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- b\n"])
def test_no_mapping_says_what_a_recipe_is(tmp_path: Path, text: str) -> None:
    assert "luthier init" in fault(tmp_path, text)


def test_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes("name: größe\ndata:\n  train: a\n".encode("latin-1"))
    with pytest.raises(FixRecipe, match="is not UTF-8"):
        load_recipe(path)


def test_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xef\xbb\xbfdata:\n  train: a\n")
    assert load_recipe(path).data.train == "a"


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "data:\n  train: a\n")
    with pytest.raises(FixRecipe, match=r"did you mean recipe\.yaml"):
        load_recipe(tmp_path / "recipes.yaml")


@pytest.mark.parametrize(
    ("kind", "expected"), [("lora", Lora), ("ia3", Ia3), ("full", Full), ("none", HeadOnly)]
)
def test_adapter_by_kind(kind: str, expected: type) -> None:
    recipe = recipe_from_dict({"data": {"train": "a"}, "adapter": {"kind": kind}})
    assert isinstance(recipe.adapter, expected)


def test_adapter_without_kind_is_lora() -> None:
    adapter = recipe_from_dict({"data": {"train": "a"}, "adapter": {"rank": 4}}).adapter
    assert isinstance(adapter, Lora) and adapter.rank == 4


def test_recipe_cannot_be_changed() -> None:
    recipe = recipe_from_dict({"data": {"train": "a"}})
    with pytest.raises(ValueError, match="frozen"):
        recipe.name = "other"


def test_overrides_reach_any_section(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  train: a\ntrain:\n  epochs: 2\n")
    recipe = load_recipe(
        path, ["adapter.rank=4", "train.learning_rate=1e-4", "task=tag", "data.columns.text=[a, b]"]
    )
    assert isinstance(recipe.adapter, Lora) and recipe.adapter.rank == 4
    assert recipe.train.learning_rate == pytest.approx(1e-4)
    assert recipe.train.epochs == 2
    assert recipe.task is Task.TAG
    assert recipe.data.columns.text == ("a", "b")


def test_override_may_hold_an_equals_sign(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, "data:\n  train: a\n"), ["data.train=b=c.csv"])
    assert recipe.data.train == "b=c.csv"


@pytest.mark.parametrize("override", ["adapter.rank", "=3", "name.first=a"])
def test_bad_override_is_refused(tmp_path: Path, override: str) -> None:
    text = "name: x\ndata:\n  train: a\n"
    assert f"override {override!r}" in fault(tmp_path, text, override)


def test_fault_of_an_override_names_the_override(tmp_path: Path) -> None:
    said = fault(tmp_path, "data:\n  train: a\n", "train.batchsize=3")
    assert "override 'train.batchsize=3'" in said and "'train.batch_size'" in said


def test_override_leaves_the_file_alone(tmp_path: Path) -> None:
    content = parse_yaml("data:\n  train: a\n", "here")
    recipe_from_dict(content, "here", ["data.train=b"])
    assert content["data"]["train"] == "a"
