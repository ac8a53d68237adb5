"""A run that learns from chosen rows: which, why, against the lot, and what explains them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, is_whole, write_rows

from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.stages.fewshot.choice import as_learnt
from luthier.stages.prepare import prepare
from luthier.store.records import RunRecord
from tiny import task_rows


def chat(place: Place, llama: Path, **select: Any) -> dict[str, Any]:
    """A recipe of 40 conversations whose training rows are chosen."""
    write_rows(place.folder / "chat.jsonl", task_rows(Task.INSTRUCT, 40))
    write_rows(place.folder / "held.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    own = {f"data.select.{name}": value for name, value in select.items()}
    return {
        "task": "instruct", "model.id": str(llama), "data.train": "chat.jsonl",
        "data.validation": "held.jsonl", "data.test": "held.jsonl", "data.allow_leakage": True,
        "data.select.warm": 1, **own,
    }  # fmt: skip


def ran(place: Place, changes: Mapping[str, Any]) -> tuple[RunRecord, dict[str, Any]]:
    """The record of a run, and its selection.json."""
    record = place.store.find(place.run(changes).run)
    return record, json.loads((record.path / "selection.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("by", ["gradient", "random"])
def test_chosen_rows_alone_are_learnt_from_and_told(place: Place, llama: Path, by: str) -> None:
    record, told = ran(place, chat(place, llama, by=by, rows=6))
    assert told["count"] == len(told["rows"]) == 6 and told["of"] == 40
    assert len({row["place"] for row in told["rows"]}) == 6
    assert ("agreement" in told["rows"][0]) == (by == "gradient")
    metrics = json.loads((record.path / "metrics.json").read_text(encoding="utf-8"))
    assert len(metrics["baselines"]) == (by == "gradient"), "the lot is compared with, but once"
    page = (record.path / "report.html").read_text(encoding="utf-8")
    assert "Of 40 training rows 6 were learnt from" in page
    assert not (record.path / "lot").exists() and is_whole(record)
    assert (record.path / "model" / "adapter").is_dir()


def test_the_better_on_validation_rows_is_kept_and_explained(place: Place, llama: Path) -> None:
    record, told = ran(place, chat(place, llama, by="gradient", share=0.2))
    found = told["validation"]
    assert told["kept"] == ("lot" if found["lot"] > found["chosen"] else "chosen")
    assert found["metric"] == "rougeL"
    assert set(told["test"]) >= {"bits_per_byte", "rougeL"}
    recipe = place.recipe(chat(place, llama))
    prepared = as_learnt(prepare(recipe, place.folder, place.folder, Silence()), record.path)
    wanted = [r["place"] for r in told["rows"]] if told["kept"] == "chosen" else told["lot"]
    assert prepared.splits.train.tolist() == sorted(wanted)


def test_the_same_recipe_chooses_the_same_rows(place: Place, llama: Path) -> None:
    changes = chat(place, llama, by="gradient", rows=5, compare=False)
    first, second = (ran(place, changes)[1] for _ in range(2))
    assert first["rows"] == second["rows"]


@pytest.mark.parametrize(
    ("changes", "place_named"),
    [
        ({"task": "classify", "data.select.rows": 3}, "data.select"),
        ({"tune.budget": "2x one run"}, "tune"),
        ({"safety.privacy.epsilon": 3}, "safety.privacy"),
    ],
)
def test_what_would_undo_the_choice_is_refused(
    place: Place, llama: Path, changes: Mapping[str, Any], place_named: str
) -> None:
    base = {} if "task" in changes else chat(place, llama, rows=3)
    error, _ = place.refused(base | changes)
    assert place_named in str(error) and "leave data.select out" in str(error)
