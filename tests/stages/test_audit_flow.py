"""`luthier audit` on whole runs: what was learnt by heart is found, and no text is told."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, write_rows

from luthier.core.errors import CheckRun
from luthier.core.types import Task
from luthier.stages import api
from luthier.store.manifest import Manifest
from luthier.store.store import Store
from tiny import task_rows


def _rows(task: Task, count: int) -> list[dict[str, Any]]:
    rows = task_rows(task, count, seed=3)
    dice = random.Random(0)
    for row in rows:
        # Nothing but the row itself tells its label, so that knowing it is remembering it.
        if task is Task.CLASSIFY:
            row["label"] = dice.choice("abc")
    return rows


def _place(tmp_path: Path, model: Path, rows: list[dict[str, Any]], inside: int) -> Place:
    write_rows(tmp_path / "train.jsonl", rows[:inside])
    write_rows(tmp_path / "test.jsonl", rows[inside:])
    return Place(tmp_path, Store.open(folder=tmp_path / "home"), model)


LONG = {
    "adapter.kind": "full",
    "train.max_steps": 150,
    "train.learning_rate": 3e-3,
    "train.validations": 1,
    "data.split.validation": 0.0,
}


def test_a_classifier_that_learnt_by_heart_is_found_out(bert: Path, tmp_path: Path) -> None:
    place = _place(tmp_path, bert, _rows(Task.CLASSIFY, 140), 70)
    made = place.run(LONG)
    told = api.audit(made.run, place.store)
    assert told["proved"] is None
    assert told["membership"]["area"]["low"] > 0.6
    assert told["membership"]["found_at"]["0.01"] == "not measurable"
    assert told["demonstrated"]["epsilon"] > 0
    numbers = {e["row"] for e in told["exposed"]}
    assert len(numbers) == 10 and numbers <= set(range(1, 71))
    assert "Nothing is proved" in told["words"]["proved"][0]


def test_the_audit_stands_on_the_report_and_tells_no_text(bert: Path, tmp_path: Path) -> None:
    rows = _rows(Task.CLASSIFY, 80)
    place = _place(tmp_path, bert, rows, 50)
    made = place.run()
    told = api.audit(made.run, place.store)
    kept = (made.path / "audit.json").read_text(encoding="utf-8")
    assert json.loads(kept) == told
    assert not any(row["text"] in kept for row in rows)
    page = (made.path / "report.html").read_text(encoding="utf-8")
    assert "What was demonstrated" in page
    assert Manifest.verify(made.path) == []
    # A second audit says the same.
    assert api.audit(made.run, place.store) == told


def test_a_number_learnt_by_heart_is_exposed(llama: Path, tmp_path: Path) -> None:
    rows = _rows(Task.INSTRUCT, 80)
    rows[7]["messages"][1]["content"] = "the card fee is 73914286"
    place = _place(tmp_path, llama, rows, 50)
    more = {"task": "instruct", "train.max_steps": 120}
    made = place.run(LONG | more)
    told = api.audit(made.run, place.store)
    (secret,) = told["secrets"]
    assert secret["row"] == 8
    assert secret["bits"] > 5
    assert told["membership"]["area"]["low"] > 0.6


@pytest.mark.parametrize("task", [Task.MULTILABEL, Task.REGRESS, Task.TAG, Task.ADAPT])
def test_every_task_with_rows_of_its_own_is_audited(
    task: Task, bert: Path, llama: Path, tmp_path: Path
) -> None:
    rows = _rows(task, 80)
    place = _place(tmp_path, llama if task.generates else bert, rows, 50)
    told = api.audit(place.run({"task": task.value}).run, place.store)
    assert 0 <= told["membership"]["area"]["value"] <= 1


def test_preferences_are_refused(llama: Path, tmp_path: Path) -> None:
    place = _place(tmp_path, llama, _rows(Task.PREFER, 60), 30)
    made = place.run({"task": "prefer"})
    with pytest.raises(CheckRun, match="pairs"):
        api.audit(made.run, place.store)


def test_without_rows_held_out_nothing_is_claimed(bert: Path, tmp_path: Path) -> None:
    place = _place(tmp_path, bert, _rows(Task.CLASSIFY, 48), 40)
    made = place.run({"data.split.validation": 0.0})
    with pytest.raises(CheckRun, match="not trained on"):
        api.audit(made.run, place.store)


def test_changed_data_are_refused(bert: Path, tmp_path: Path) -> None:
    rows = _rows(Task.CLASSIFY, 80)
    place = _place(tmp_path, bert, rows, 50)
    made = place.run()
    write_rows(tmp_path / "train.jsonl", rows[1:50])
    with pytest.raises(CheckRun, match="changed"):
        api.audit(made.run, place.store)
