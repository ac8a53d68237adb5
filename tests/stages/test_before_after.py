"""`luthier explain --before-after` on whole runs: a planted shortcut is found, and only where there
is one."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, is_whole, write_rows

from luthier.core.errors import CheckRun, FixData, FixRecipe
from luthier.core.types import Task
from luthier.stages import api
from luthier.store.store import Store
from tiny import task_rows

PLAIN = ["the", "pays", "back", "now", "iron", "daily", "my", "loan", "card", "fee"]
LEARNT = {"train.max_steps": 150, "train.learning_rate": 1e-2, "data.allow_leakage": True}


def rows(count: int, seed: int, planted: float) -> list[dict[str, Any]]:
    """Rows whose words say nothing of their label, but `tiger` in a share of the bad ones."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        words = [dice.choice(PLAIN) for _ in range(6)]
        label = ("bad", "good")[number % 2]
        if label == "bad" and dice.random() < planted:
            words.insert(dice.randint(0, 6), "tiger")
        found.append({"text": " ".join(words), "label": label})
    return found


def _place(bert: Path, folder: Path, planted: float) -> Place:
    write_rows(folder / "train.jsonl", rows(300, 1, planted))
    write_rows(folder / "test.jsonl", rows(120, 2, planted))
    return Place(folder, Store.open(folder=folder / "home"), bert)


@pytest.mark.parametrize("adapter", [pytest.param("lora", marks=pytest.mark.slow), "full"])
def test_a_planted_shortcut_is_found_and_confirmed(
    adapter: str, bert: Path, tmp_path: Path
) -> None:
    place = _place(bert, tmp_path, 0.6)
    rate = 1e-2 if adapter == "lora" else 3e-3
    made = place.run(LEARNT | {"adapter.kind": adapter, "train.learning_rate": rate})
    before = list(api.predict(made.run, [{"text": "the tiger pays"}], place.store))
    told = api.before_after(made.run, place.store, rows=60)
    assert told["shortcuts"]["confirmed"] == ["tiger"]
    first = told["shortcuts"]["looked_at"][0]
    assert first["word"] == "tiger" and first["label"] == "bad" and first["share"] == 1
    assert first["low"] > 0 and first["turned"] > 0.2
    assert any("'tiger' stands in" in line for line in told["words"])
    assert told["rows"] == 60 and told["answers"]["known"] == 60
    kept = json.loads((made.path / "explain/before-after.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(told))
    page = Path(told["page"]).read_text(encoding="utf-8")
    assert "tiger" in page and "shortcut" in page and "<script" not in page
    assert is_whole(place.store.find(made.run))
    # The model is left as it was.
    assert list(api.predict(made.run, [{"text": "the tiger pays"}], place.store)) == before


def test_without_a_shortcut_none_is_confirmed(bert: Path, tmp_path: Path) -> None:
    place = _place(bert, tmp_path, 0.0)
    made = place.run(LEARNT)
    told = api.before_after(made.run, place.store, rows=30, method="gradient")
    assert told["shortcuts"]["confirmed"] == []
    assert "No shortcut was confirmed." in told["words"]


def test_a_model_that_hardly_trained_leans_on_nothing_although_the_data_are_lopsided(
    bert: Path, tmp_path: Path
) -> None:
    place = _place(bert, tmp_path, 0.6)
    made = place.run({"train.max_steps": 1, "train.learning_rate": 1e-6, "evaluate.probe": False})
    told = api.before_after(made.run, place.store, rows=30, method="gradient")
    assert told["shortcuts"]["looked_at"][0]["word"] == "tiger"
    assert told["shortcuts"]["confirmed"] == []


def test_rows_of_a_file_are_compared_and_few_of_them_say_little(place: Place) -> None:
    made = place.run()
    write_rows(place.folder / "few.jsonl", [{"text": "pay the late fee"}, {"text": "loan card"}])
    told = api.before_after(
        made.run, place.store, data="few.jsonl", base_folder=place.folder, method="gradient"
    )
    assert told["rows"] == 2 and told["looked_at"] == 0 and told["answers"]["known"] == 0
    assert any("cannot be said" in line for line in told["words"])


def test_a_model_that_writes_is_compared_without_labels(llama: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 40))
    write_rows(tmp_path / "test.jsonl", task_rows(Task.INSTRUCT, 12, seed=9))
    there = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    made = there.run({"task": "instruct", "train.max_steps": 12})
    told = api.before_after(made.run, there.store, rows=6, method="occlusion")
    assert told["shortcuts"] is None and told["answers"] is None
    assert 0 < told["shift"]["value"] <= 1


def test_what_cannot_be_compared_is_refused(place: Place, bert: Path, tmp_path: Path) -> None:
    made = place.run()
    with pytest.raises(FixRecipe, match="did you mean 'rollout'"):
        api.before_after(made.run, place.store, method="rolout")
    write_rows(place.folder / "other.jsonl", [{"words": "loan"}])
    with pytest.raises(FixData, match="no column 'text'"):
        api.before_after(made.run, place.store, data="other.jsonl", base_folder=place.folder)
    write_rows(place.folder / "empty.jsonl", [{"text": " "}])
    with pytest.raises(FixData, match="no row that both models can read"):
        api.before_after(made.run, place.store, data="empty.jsonl", base_folder=place.folder)
    with pytest.raises(CheckRun):
        api.before_after("no-such-run", place.store)
    place.store.set_status(made.run, "interrupted")
    with pytest.raises(CheckRun, match="a finished run"):
        api.before_after(made.run, place.store)
