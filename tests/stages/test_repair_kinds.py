"""Erasure, blinding and corrected labels: what they leave in a run, and that it is used again."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from stage_place import Place, is_whole, write_rows
from test_bias_flow import learnt

from luthier.core.errors import CheckRun, FixData, FixRecipe
from luthier.core.types import Task
from luthier.recipe.load import recipe_from_dict
from luthier.stages import api
from luthier.stages.bias.blinding import INSTEAD, Blinded
from luthier.stages.bias.repair import Asked, repaired
from luthier.stages.bias.repair import repair as repair_stage
from luthier.store.store import Store
from tiny import Quiet, task_rows


@pytest.fixture(scope="module")
def made(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, api.RunResult]:
    """A finished run with a planted bias."""
    return learnt(tmp_path_factory.mktemp("kinds"), bert)


def _child(made: tuple[Place, api.RunResult], kind: str, **asked: Any) -> api.RunResult:
    place, run = made
    record = place.store.find(run.run)
    wanted = Asked(terms=place.folder / "terms.json", positive=("bad",), **asked)
    recipe = repaired(record, recipe_from_dict(record.recipe), 240, kind, wanted)
    return api.run(recipe, place.folder, store=place.store)


def _bad(place: Place, run: str, texts: list[str]) -> np.ndarray:
    answers = list(api.predict(run, [{"text": t} for t in texts], place.store))
    return np.asarray([a["score"] if a["label"] == "bad" else 1 - a["score"] for a in answers])


def test_erasure_is_kept_with_the_run_and_read_by_whoever_loads_it(
    made: tuple[Place, api.RunResult],
) -> None:
    place, _ = made
    child, plain = _child(made, "erase"), _child(made, "none")
    kept = load_file(str(child.path / "erasure.safetensors"))
    head = load_file(str(child.path / "model/head.safetensors"))
    assert kept["left"].shape[1] == kept["right"].shape[0] > 0
    # The output layer reads nothing along the erased directions.
    assert np.abs(head["weight"] @ kept["left"]).max() < 1e-4
    assert not (plain.path / "erasure.safetensors").exists()
    # Words that the repair saw matter less than in the same training without it.
    carriers = ["the iron pays back", "now the daily iron", "pays now back the"]
    spread = [
        np.ptp(
            [_bad(place, run.run, [f"{word} {text}" for text in carriers]).mean()
             for word in ("fee", "money")]
        )
        for run in (plain, child)
    ]  # fmt: skip
    assert spread[1] < spread[0]
    assert is_whole(place.store.find(child.run))


def test_a_blinded_model_reads_no_word_of_the_list(made: tuple[Place, api.RunResult]) -> None:
    place, _ = made
    child = _child(made, "blind")
    texts = [f"{word} pays back now" for word in ("fee", "loan", "CARD", "money", INSTEAD)]
    found = _bad(place, child.run, texts)
    assert np.allclose(found, found[0], atol=1e-5)
    words = json.loads((child.path / "model/blind.json").read_text(encoding="utf-8"))["words"]
    assert set(words) == {"fee", "money", "loan", "card", "arm", "tiger"}
    # The list is kept with the model: the file it came from is not asked again.
    (place.folder / "terms.json").rename(place.folder / "gone.json")
    try:
        assert np.allclose(_bad(place, child.run, texts), found)
    finally:
        (place.folder / "gone.json").rename(place.folder / "terms.json")
    with pytest.raises(CheckRun, match="masked words only"):
        record = place.store.find(child.run)
        recipe = repaired(record, recipe_from_dict(record.recipe), 240, "none", Asked())
        api.run(recipe, place.folder, store=place.store)
    told = api.explain(child.run, place.store, texts=["my CARD pays"], method="gradient")
    assert [w["word"] for w in told["explanations"][0]["words"]] == ["my", "CARD", "pays"]


def test_blinding_is_measured_and_not_taken(made: tuple[Place, api.RunResult]) -> None:
    place, run = made
    wanted = Asked(("blind",), terms=place.folder / "terms.json", positive=("bad",))
    told = repair_stage(place.store.find(run.run), place.store, wanted, Quiet())
    assert not told["accepted"] and "made" not in told and told["conditions"] == []
    (tried,) = told["tried"]
    assert tried["says"].startswith("a control") and "100 % less" in tried["says"]
    assert "Only a control was tried" in told["words"][0]


def test_corrected_labels_are_learnt_from_the_file_that_labelling_writes(
    made: tuple[Place, api.RunResult],
) -> None:
    place, run = made
    lines = (place.folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    turned = [
        {"text": f"  {row['text'].upper()}", "label": "good" if row["label"] == "bad" else "bad",
         "label_source": "person"}
        for row in {r["text"]: r for r in rows}.values()
    ]  # fmt: skip
    write_rows(place.folder / "right.jsonl", turned)
    child = _child(made, "labels", labels=place.folder / "right.jsonl")
    # Every label is the other way round now, and training on moves the answers that way.
    texts = ["fee pays back now", "card pays back now"]
    before, after = _bad(place, run.run, texts), _bad(place, child.run, texts)
    assert after[0] < before[0] and after[1] > before[1]
    recipe = place.store.find(child.run).recipe["repair"]
    assert recipe["kind"] == "labels" and recipe["labels"].endswith("right.jsonl")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "the"}, r"row 1.*no label"),
        ({"words": "the", "label": "bad"}, r"row 1.*no text"),
        ({"text": "the", "label": "baad"}, r"row 1.*did you mean 'bad'"),
        ({"text": "stands in no row", "label": "bad"}, "0 training rows"),
    ],
)
def test_rows_that_correct_nothing_are_refused_by_name(
    row: dict[str, Any], says: str, made: tuple[Place, api.RunResult]
) -> None:
    place, _ = made
    write_rows(place.folder / "wrong.jsonl", [row])
    with pytest.raises(FixData, match=says):
        _child(made, "labels", labels=place.folder / "wrong.jsonl")


def test_what_does_not_go_together_is_refused(
    made: tuple[Place, api.RunResult], llama: Path, tmp_path: Path
) -> None:
    place, run = made
    with pytest.raises(FixRecipe, match="go together"):
        api.repair(run.run, place.store, kinds=("labels",))
    with pytest.raises(FixRecipe, match="go together"):
        api.repair(run.run, place.store, kinds=("pair",), labels=Path("rows.jsonl"))
    error, _ = place.refused({"repair.kind": "labels"})
    assert "repair.labels" in str(error)
    error, _ = place.refused({"repair.kind": "pair", "repair.labels": "x.jsonl"})
    assert "with kind labels only" in str(error)
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 30))
    write_rows(tmp_path / "test.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    other = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    error, _ = other.refused({"task": "instruct", "repair.kind": "blind"})
    assert "writes" in str(error)


WORDS = ("fee", "loan", "a person")


@given(st.lists(st.sampled_from([*WORDS, "Fee", "and", "feel", "x", " ", ", "]), max_size=8))
def test_masked_text_leads_back_to_the_text_given(parts: list[str]) -> None:
    given_text = " ".join(parts)
    masked: Any = Blinded(WORDS)(given_text)
    for at in range(len(masked.text)):
        start, stop = masked.back(at, at + 1)
        whole = given_text[start:stop]
        assert whole == masked.text[at] or whole.lower() in WORDS
    dice = random.Random(len(given_text))
    for _ in range(5):
        start = dice.randint(0, len(masked.text))
        first, last = masked.back(start, dice.randint(start, len(masked.text)))
        assert 0 <= first <= len(given_text) and 0 <= last <= len(given_text)
    assert masked.back(0, len(masked.text)) == (0, len(given_text))
