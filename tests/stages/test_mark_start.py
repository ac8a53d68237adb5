"""Marks in texts, and several labels, begin at what can be said of them before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stage_place import Place, write_rows

from luthier.core.types import Task
from luthier.store.store import Store
from tiny import task_rows


def place_of(task: Task, bert: Path, folder: Path) -> Place:
    """A folder with rows of a task."""
    write_rows(folder / "train.jsonl", task_rows(task, 48))
    write_rows(folder / "test.jsonl", task_rows(task, 16, seed=9))
    return Place(folder, Store.open(folder=folder / "home"), bert)


def curve(place: Place, name: str) -> list[float]:
    """What was measured on the validation rows, in order."""
    points = place.store.curve(place.store.find("last").id)
    return [p.value for p in sorted(points, key=lambda p: p.step) if p.name == f"validation {name}"]


def test_marks_begin_at_a_probe_of_tokens_and_never_end_below_it(
    bert: Path, tmp_path: Path
) -> None:
    place = place_of(Task.TAG, bert, tmp_path)
    asked: dict[str, Any] = {"task": "tag", "train.learning_rate": 0.5}
    place.run(asked)
    found = curve(place, "entity_f1")
    without = place.run(asked | {"evaluate.probe": False})
    random = curve(place, "entity_f1")
    assert found[0] > random[0] and found[0] > 0.3, "the words that are marked are always the same"
    assert min(found[1:]) < found[0], "the rate was meant to destroy it"
    assert place.store.find(without.run).status == "finished"
    losses = curve(place, "log_loss")
    assert len(losses) == len(random) and np.isfinite(losses).all()


def test_labels_begin_at_their_shares(bert: Path, tmp_path: Path) -> None:
    place = place_of(Task.MULTILABEL, bert, tmp_path)
    place.run({"task": "multilabel", "train.learning_rate": 1e-9, "train.max_steps": 1})
    first = curve(place, "log_loss")[0]
    rows = task_rows(Task.MULTILABEL, 48)
    names = sorted({name for row in rows for name in row["labels"]})
    share = np.asarray([np.mean([n in row["labels"] for row in rows]) for n in names])
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share)).mean()
    assert first == pytest.approx(entropy, abs=0.15) and first < np.log(2)


def test_trials_of_a_search_begin_at_the_probe_too(bert: Path, tmp_path: Path) -> None:
    place = place_of(Task.TAG, bert, tmp_path)
    asked = {"task": "tag", "tune.budget": "2 trials", "tune.seeds": 0, "train.learning_rate": 1e-9}
    told: dict[str, Any] = place.run(asked).search or {}
    assert told["trials"][0]["curve"][0][1] > 0.3
