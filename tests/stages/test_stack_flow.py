"""What a search chose, joined with words: kept where both are surely better, and only there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stage_place import Place, write_rows

from luthier.fewshot.head import LadderHead
from luthier.recipe.load import load_recipe
from luthier.search.trial import UNITS, Slice
from luthier.stages import api
from luthier.stages.parts.keeping import open_tuned
from luthier.stages.parts.merging import merge
from luthier.stages.stacking import joint
from luthier.stages.tuning.ending.stacking import stack
from luthier.stages.tuning.shared import SharedBase
from luthier.stages.workshop import set_up
from luthier.store.artefacts import Artefacts
from luthier.store.store import Store
from tiny import Quiet

TELLING = {"a": ("river", "stone"), "b": ("garden", "window"), "c": ("market", "letter")}
FILLING = ("the", "of", "some", "near", "old", "with", "small", "under", "at", "long", "by", "new")
USUAL = {"tune.budget": "2 trials", "tune.seeds": 0, "train.learning_rate": 1e-5,
         "evaluate.probe": False, "fewshot.enabled": "off"}  # fmt: skip


def _rows(count: int, telling: bool, seed: int) -> list[dict[str, str]]:
    chance = random.Random(seed)
    rows = []
    for i in range(count):
        label = "abc"[i % 3]
        words = [chance.choice(FILLING) for _ in range(7)]
        said = chance.choice(TELLING[label if telling else chance.choice("abc")])
        words.insert(chance.randrange(8), said)
        rows.append({"text": f"{' '.join(words)} {i}", "label": label})
    return rows


Open = Callable[..., Place]


@pytest.fixture
def opened(bert: Path, tmp_path: Path) -> Open:
    """A folder with rows whose class one word tells, or nothing does."""

    def place(telling: bool = True) -> Place:
        write_rows(tmp_path / "train.jsonl", _rows(240, telling, 0))
        write_rows(tmp_path / "test.jsonl", _rows(60, telling, 1))
        return Place(tmp_path, Store.open(folder=tmp_path / "home"), bert)

    return place


def _told(result: api.RunResult) -> dict[str, Any]:
    assert result.search is not None
    found: dict[str, Any] = result.search["stack"]
    return found


def test_words_that_tell_more_ship_with_the_network(opened: Open, tmp_path: Path) -> None:
    place = opened()
    result = place.run(USUAL)
    told = _told(result)
    assert told["kept"] and told["together"] > told["network"] and told["gain"] > 0
    assert told["powers"]["words"] > 0
    assert result.search is not None and "tune.stack: off" in result.search["advice"]
    # What is opened again answers as what was measured did.
    lines = (tmp_path / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    answers = api.predict(result.run, ({"text": r["text"]} for r in rows), place.store)
    right = [a["label"] == r["label"] for a, r in zip(answers, rows, strict=True)]
    assert np.mean(right) == pytest.approx(result.metrics["tuned"]["accuracy"])
    assert np.mean(right) > 0.9
    card = (result.path / "model" / "README.md").read_text(encoding="utf-8")
    assert "reads words as well as vectors" in card and "joined with words" in card
    assert "Without Luthier" not in card
    assert "both ship together" in result.report.read_text(encoding="utf-8")
    out = merge(result.path, tmp_path / "merged", Quiet())
    assert (out / "ladder.json").is_file() and (out / "ladder.safetensors").is_file()


def test_words_that_tell_nothing_stay_away(opened: Open) -> None:
    result = opened(telling=False).run(USUAL)
    told = _told(result)
    assert not told["kept"] and told["rows"] > 0 and "asked for" in told["why"]
    assert (result.path / "model" / "head.safetensors").is_file()
    assert not (result.path / "model" / "ladder.json").exists()
    assert result.search is not None and "joined" not in result.search["advice"]
    assert "the network ships alone" in result.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tune.stack": "off"}, "tune.stack is off"),
        ({"tune.subject_to": "ece <= 1"}, "conditions"),
        ({"tune.maximize": ["accuracy", "parameters"]}, "further objectives"),
        ({"safety.checks": {}}, "safety"),
    ],
)
def test_where_it_may_not_the_network_ships_alone(
    changes: dict[str, Any], why: str, opened: Open
) -> None:
    result = opened().run(USUAL | changes)
    told = _told(result)
    assert not told["kept"] and why in told["why"] and "gain" not in told
    assert (result.path / "model" / "head.safetensors").is_file()


def test_a_budget_that_does_not_bear_it_is_kept(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joint, "PER_LETTER", 1.0)
    told = _told(opened().run(USUAL | {"tune.budget": "2x one run"}))
    assert not told["kept"] and "budget does not bear" in told["why"]


def test_the_recipe_it_leaves_joins_them_again(opened: Open) -> None:
    place = opened()
    left = load_recipe(place.run(USUAL).path / "recipe.yaml")
    assert left.tune is None and left.train.stack == "on"
    again = api.run(left, place.folder, store=place.store)
    tuned = open_tuned(again.path, Quiet())
    assert isinstance(tuned.head, LadderHead) and tuned.network.output is None
    assert again.metrics["tuned"]["accuracy"] > 0.9


def test_an_ordinary_run_joins_them_where_it_is_told_to(opened: Open) -> None:
    place = opened()
    alone, both = (
        place.run({k: v for k, v in USUAL.items() if not k.startswith("tune")} | changes)
        for changes in ({}, {"train.stack": "on"})
    )
    gain = both.metrics["tuned"]["accuracy"] - alone.metrics["tuned"]["accuracy"]
    assert gain > 0.2
    text = both.report.read_text(encoding="utf-8")
    assert "joined with words" in text and "joined" not in alone.report.read_text(encoding="utf-8")
    told = api.explain(both.run, place.store, texts=["the old river by"], method="gradient")
    assert told


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"task": "regress"}, "only classifiers"),
        ({"safety.checks": {}}, "network alone"),
        ({"fewshot.enabled": "on"}, "few-shot ladder"),
    ],
)
def test_where_it_cannot_be_had_it_is_refused(
    changes: dict[str, Any], why: str, opened: Open, tmp_path: Path
) -> None:
    place = opened()
    if changes.get("task") == "regress":
        for part, rows in (("train", _rows(24, True, 0)), ("test", _rows(12, True, 1))):
            numbers = [row | {"label": float(i)} for i, row in enumerate(rows)]
            write_rows(tmp_path / f"{part}.jsonl", numbers)
    error, _ = place.refused({"train.stack": "on"} | changes)
    assert error.place == "train.stack" and why in str(error)


def test_the_second_half_sets_no_powers(opened: Open, tmp_path: Path) -> None:
    """With other answers asked for in the second half, the powers stay what they were."""
    place = opened()
    recipe = place.recipe(USUAL)
    shop = set_up(recipe, tmp_path, tmp_path / "run", Artefacts(tmp_path / "home"), Quiet())
    shared = SharedBase.begin(shop, tmp_path / "search")
    piece = Slice("t0", {}, UNITS)
    shared.advance(piece)
    member, _, _ = shared.take(piece)
    before = stack(member, shared.halves, "accuracy")
    targets = shop.encoded.targets
    assert isinstance(targets, np.ndarray)
    turned = targets.copy()
    turned[shared.halves.second] = (turned[shared.halves.second] + 1) % 3
    member.shop.encoded = replace(member.shop.encoded, targets=turned)
    after = stack(member, shared.halves, "accuracy")
    np.testing.assert_array_equal(after.powers, before.powers)
    assert before.kept and not after.kept
