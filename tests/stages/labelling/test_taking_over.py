"""Labels from elsewhere: Label Studio, rules, a teacher; and what they may not do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.core.errors import CheckRun, FixData
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.stages import api
from luthier.stages.labelling.desk import Wishes
from luthier.stages.labelling.label_studio import bring_labels, write_tasks
from luthier.stages.labelling.opening import Session, open_session
from luthier.stages.labelling.weak import Weak, by_rules, by_teacher, sure_from
from luthier.store.store import Store
from tiny import bert, task_rows

__all__ = ["bert"]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(bert: Path, tmp_path: Path) -> Path:
    rows = task_rows(Task.CLASSIFY, 90)
    write(tmp_path / "train.jsonl", rows[:40])
    write(tmp_path / "validation.jsonl", rows[40:50])
    write(tmp_path / "test.jsonl", rows[50:60])
    write(tmp_path / "pool.jsonl", [{"text": row["text"]} for row in rows[60:]])
    recipe = {
        "data": {
            "train": "train.jsonl", "validation": "validation.jsonl", "test": "test.jsonl",
            "allow_leakage": True,
        },
        "model": {"id": str(bert), "precision": "float32"},
        "train": {"max_steps": 2},
    }  # fmt: skip
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    return tmp_path


def session(folder: Path, out: str = "labels.jsonl") -> Session:
    store = Store.open(folder=folder / "home")
    pool = str(folder / "pool.jsonl")
    return open_session(str(folder / "recipe.yaml"), pool, folder / out, store, Wishes(), Silence())


def test_tasks_go_out_with_predictions_and_come_back_with_annotations(folder: Path) -> None:
    first = session(folder)
    asked = first.desk.next()
    assert asked is not None
    first.desk.answer(asked, first.desk.labels[0], 4.0)
    count = write_tasks(first.desk, folder / "tasks.json")
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    assert len(tasks) == count > 5
    assert [t["id"] for t in tasks] == list(range(1, count + 1))
    assert tasks[0]["annotations"][0]["result"][0]["value"] == {"choices": [first.desk.labels[0]]}
    said = tasks[1]["predictions"][0]
    assert said["result"][0]["value"]["choices"][0] in first.desk.labels
    assert 0 <= said["score"] <= 1

    # What people do there: annotate two, skip one, disagree on one, leave the rest.
    one, two = first.desk.labels[:2]
    for task in tasks[1:]:
        task.pop("predictions")
    tasks[1]["annotations"] = [{"result": _choice(one), "lead_time": 6.5}]
    tasks[2]["annotations"] = [{"result": _choice(two)}]
    tasks[3]["annotations"] = [{"result": [], "was_cancelled": True}]
    tasks[4]["annotations"] = [{"result": _choice(one)}, {"result": _choice(two)}]
    tasks.append(
        {"data": {"text": "no text of the pool"}, "annotations": [{"result": _choice(one)}]}
    )
    (folder / "done.json").write_text(json.dumps(tasks), encoding="utf-8")
    brought = bring_labels(first.desk, str(folder / "done.json"))
    assert (brought.labels, brought.skipped) == (2, 1)
    assert sum(brought.left.values()) == 3
    assert any("disagree" in note for note in brought.notes())
    first.write()
    rows = [json.loads(x) for x in (folder / "labels.jsonl").read_text().splitlines()]
    assert [r["label"] for r in rows] == [first.desk.labels[0], one, two]
    assert rows[1]["label_quota"] == tasks[1]["data"]["luthier_quota"]
    assert session(folder).desk.book.sheet.given.keys() == first.desk.book.sheet.given.keys()


def _choice(label: str) -> list[dict[str, Any]]:
    return [{"from_name": "label", "to_name": "text", "type": "choices",
             "value": {"choices": [label]}}]  # fmt: skip


def test_labelled_rows_of_any_file_are_taken_over(folder: Path) -> None:
    here = session(folder)
    texts, labels = here.desk.pool.texts, here.desk.labels
    rows = [{"text": texts[0], "label": labels[1]}, {"text": texts[1], "label": "strange"}]
    write(folder / "mine.jsonl", rows)
    brought = bring_labels(here.desk, str(folder / "mine.jsonl"))
    assert brought.labels == 1
    assert list(brought.left.values()) == [1]
    again = bring_labels(here.desk, str(folder / "mine.jsonl"))
    assert again.labels == 0


def test_a_file_that_is_no_export_is_refused(folder: Path) -> None:
    (folder / "broken.json").write_text("[{", encoding="utf-8")
    with pytest.raises(FixData, match="can't be read"):
        bring_labels(session(folder).desk, str(folder / "broken.json"))


def test_rules_label_what_they_are_sure_of_and_never_judge(folder: Path) -> None:
    label = sorted({r["label"] for r in task_rows(Task.CLASSIFY, 90)})[0]
    (folder / "rules.yaml").write_text(
        json.dumps({"rules": [{"name": "one", "label": label, "words": ["the", "bank", "card"]}]}),
        encoding="utf-8",
    )
    store = Store.open(folder=folder / "home")
    asked = Weak(
        str(folder / "recipe.yaml"), str(folder / "pool.jsonl"), folder / "weak.jsonl", 0.0
    )
    found = by_rules(asked, folder / "rules.yaml", store, Silence())
    rows = [json.loads(x) for x in (folder / "weak.jsonl").read_text().splitlines()]
    assert len(rows) == found["written"] == found["voted"] > 0
    assert {r["label_source"] for r in rows} == {"rule"}
    assert all(0 <= r["chance"] <= 1 for r in rows)
    (told,) = found["rules"]
    assert told["judged"] > 0 and told["accuracy"]["low"] <= told["accuracy"]["value"]
    with pytest.raises(FixData, match="the file exists"):
        by_rules(asked, folder / "rules.yaml", store, Silence())

    recipe = json.loads((folder / "recipe.yaml").read_text())
    recipe["data"] = {"train": "weak.jsonl", "test": "test.jsonl"}
    (folder / "weak.yaml").write_text(json.dumps(recipe))
    with pytest.raises(FixData, match="labelled by rules or by a model, and validation rows"):
        api.plan(folder / "weak.yaml")
    recipe["data"] = {
        "train": "train.jsonl",
        "validation": "validation.jsonl",
        "test": "weak.jsonl",
    }
    (folder / "weak.yaml").write_text(json.dumps(recipe))
    with pytest.raises(FixData, match="and test rows would be taken from them"):
        api.plan(folder / "weak.yaml")


def test_a_teacher_labels_where_its_precision_is_proved(folder: Path) -> None:
    store = Store.open(folder=folder / "home")
    run = api.run(folder / "recipe.yaml", store=store).run
    asked = Weak(run, str(folder / "pool.jsonl"), folder / "taught.jsonl", 0.05)
    found = by_teacher(asked, store, Silence())
    rows = [json.loads(x) for x in (folder / "taught.jsonl").read_text().splitlines()]
    assert len(rows) == found["written"] > 0
    assert {r["label_source"] for r in rows} == {"model"}
    assert min(r["chance"] for r in rows) >= found["score_from"] - 1e-4
    assert found["precision"]["low"] >= 0.05
    strict = Weak(run, str(folder / "pool.jsonl"), folder / "none.jsonl", 0.99)
    with pytest.raises(CheckRun, match="no score promises a precision of 99%"):
        by_teacher(strict, store, Silence())
    assert not (folder / "none.jsonl").exists()


def test_the_lowest_sure_score_is_found() -> None:
    scores = np.linspace(0, 1, 200)
    right = scores > 0.5
    level, found = sure_from(scores, right, 0.9)
    assert level is not None and found is not None
    assert 0.3 < level <= 0.5025
    assert found.low >= 0.9
    assert sure_from(scores[:3], right[:3], 0.9) == (None, None)
