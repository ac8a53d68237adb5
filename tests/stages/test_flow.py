"""From a recipe and a file to a measured, recorded model, for every task and adapter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, is_whole, write_rows

from luthier.core.types import Task
from luthier.stages import api
from luthier.stages.evaluation import PURPOSE
from luthier.stages.planning import PlanResult
from luthier.store.records import RunRecord
from luthier.store.store import Store
from tiny import task_rows

CASES: dict[str, Mapping[str, Any]] = {
    "classify": {},
    "multilabel": {},
    "regress": {},
    "tag": {},
    "instruct": {"evaluate.forgetting": True},
    "adapt": {},
    "prefer dpo": {"train.objective": "dpo"},
    "prefer orpo": {"train.objective": "orpo"},
    "classify ia3": {"adapter.kind": "ia3"},
    "classify full": {"adapter.kind": "full", "train.learning_rate": 1e-3},
    "classify none": {"adapter.kind": "none"},
    "classify top": {"adapter.top_layers": 1, "fast.prefix_cache": "on"},
}


@dataclass(frozen=True)
class Flow:
    """A run that went through, and what was planned before."""

    place: Place
    task: Task
    test_rows: list[dict[str, Any]]
    planned: PlanResult
    runs_after_plan: int
    result: api.RunResult

    @property
    def record(self) -> RunRecord:
        """The run as the store has it."""
        return self.place.store.find(self.result.run)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The test rows without their answers."""
        if self.task in (Task.INSTRUCT, Task.PREFER):
            return [{"messages": row["messages"][:1]} for row in self.test_rows]
        return [{"text": row["text"]} for row in self.test_rows]

    def answers(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the tuned model says."""
        return list(api.predict(self.result.run, rows, self.place.store))


@pytest.fixture(scope="module", params=list(CASES))
def flow(request: pytest.FixtureRequest, bert: Path, llama: Path, tmp_path_factory: Any) -> Flow:
    task = Task(request.param.split()[0])
    folder = tmp_path_factory.mktemp("flow")
    rows = task_rows(task, 48)
    write_rows(folder / "train.jsonl", rows[:40])
    write_rows(folder / "test.jsonl", rows[40:])
    store = Store.open(folder=folder / "home")
    place = Place(folder, store, llama if task.generates else bert)
    changes = {"task": task.value, **CASES[request.param]}
    planned = api.plan(place.recipe(changes), folder)
    listed = len(store.list())
    return Flow(place, task, rows[40:], planned, listed, place.run(changes))


def test_the_plan_keeps_nothing_and_is_what_happens(flow: Flow) -> None:
    assert flow.runs_after_plan == 0
    assert flow.planned.task is flow.task
    parts = flow.planned.rows
    assert (parts["train"] + parts["validation"], parts["test"]) == (40, 8)
    written = json.loads((flow.result.path / "plan.json").read_text(encoding="utf-8"))
    assert written["recipe"] == flow.planned.as_dict()["recipe"]
    assert written["legal"] == flow.planned.as_dict()["legal"]
    assert written["masked"] == json.loads(json.dumps(flow.planned.as_dict()["masked"]))


def test_the_record_is_whole(flow: Flow) -> None:
    record, store = flow.record, flow.place.store
    assert is_whole(record)
    assert record.task == flow.task.value
    facts = record.facts
    assert set(facts["seeds"]) == {"train", "split", "evaluate"}
    assert len(facts["data_hash"]) == len(facts["base_hash"]) == 64
    assert {"python", "torch", "transformers", "peft"} <= facts["environment"].keys()
    assert record.recipe["model"]["id"] == str(flow.place.model)
    kept = json.loads((record.path / "recipe.json").read_text(encoding="utf-8"))
    assert kept["train"]["epochs"] > 0 and kept["task"] == flow.task.value
    curve = store.curve(record.id)
    assert [p.step for p in curve if p.name == "loss"] == [1, 2, 3, 4]
    assert any(p.name.startswith("validation ") for p in curve)


def test_the_sealed_rows_are_opened_once_at_the_end(flow: Flow) -> None:
    assert list(flow.record.facts["openings"]) == [PURPOSE]


def test_base_and_tuned_have_intervals(flow: Flow) -> None:
    found: dict[str, set[str]] = {"base": set(), "tuned": set()}
    for row in flow.place.store.metrics(flow.result.run):
        assert row.low is not None and row.high is not None
        assert row.low <= row.value <= row.high
        found[row.which].add(row.name)
    assert found["base"] and found["tuned"]
    metrics = flow.result.metrics
    assert metrics["tuned"].keys() == metrics["interval"].keys() == found["tuned"]
    assert found["base"] <= metrics["base"].keys()
    assert metrics["difference"]
    assert json.loads((flow.result.path / "metrics.json").read_text(encoding="utf-8")) == metrics


def test_the_report_needs_nothing_else(flow: Flow) -> None:
    text = flow.result.report.read_text(encoding="utf-8")
    assert flow.result.run in text
    for request in ("<link", "@import", 'src="http', 'href="http', "url(http", "fetch("):
        assert request not in text


def test_nothing_of_the_work_is_left(flow: Flow) -> None:
    folder = flow.result.path
    assert not list(folder.rglob("hidden.npy"))
    assert not (folder / "checkpoint").exists()
    assert not list(folder.rglob("*.tmp"))


def test_another_measurement_of_the_test_rows_agrees(flow: Flow) -> None:
    again = api.evaluate(
        flow.result.run, "test.jsonl", flow.place.store, base_folder=flow.place.folder
    )
    assert again["rows"] == 8
    assert again["metrics"] == pytest.approx(flow.result.metrics["tuned"], abs=1e-4)
    for name, (low, high) in again["interval"].items():
        assert low <= again["metrics"][name] <= high


def test_answers_keep_the_order_of_the_rows(flow: Flow) -> None:
    asked = flow.asked
    sizes = [len(str(row)) for row in asked]
    assert sizes != sorted(sizes) and sizes != sorted(sizes, reverse=True)
    forward, backward = flow.answers(asked), flow.answers(asked[::-1])[::-1]
    one_by_one = [flow.answers([row])[0] for row in asked[:2]]
    for row, other in zip(forward + forward[:2], backward + one_by_one, strict=True):
        assert row.keys() == other.keys()
        for key, value in row.items():
            if isinstance(value, float):
                assert other[key] == pytest.approx(value, abs=1e-4)
            elif key != "scores":
                assert other[key] == value


def test_answers_are_those_that_were_measured(flow: Flow) -> None:
    answers, tuned = flow.answers(flow.asked), flow.result.metrics["tuned"]
    rows = flow.test_rows
    if flow.task is Task.CLASSIFY:
        right = [a["label"] == r["label"] for a, r in zip(answers, rows, strict=True)]
        assert sum(right) / len(right) == pytest.approx(tuned["accuracy"])
    elif flow.task is Task.MULTILABEL:
        same = [set(a["labels"]) == set(r["labels"]) for a, r in zip(answers, rows, strict=True)]
        assert sum(same) / len(same) == pytest.approx(tuned["exact"])
    elif flow.task is Task.REGRESS:
        off = [abs(a["label"] - r["label"]) for a, r in zip(answers, rows, strict=True)]
        assert sum(off) / len(off) == pytest.approx(tuned["mae"], abs=1e-3)
    elif flow.task is Task.TAG:
        pairs = [
            (a["spans"], [list(s) for s in r["spans"]]) for a, r in zip(answers, rows, strict=True)
        ]
        hits = sum(span in found for found, wanted in pairs for span in wanted)
        count = sum(len(found) + len(wanted) for found, wanted in pairs)
        assert 2 * hits / count == pytest.approx(tuned["entity_f1"])
    else:
        assert all(isinstance(a["response"], str) for a in answers)


def test_recognised_columns_are_read_again(place: Place) -> None:
    def renamed(row: dict[str, Any]) -> dict[str, Any]:
        return {"tweet": row["text"], "mood": row["label"]}

    rows = task_rows(Task.CLASSIFY, 48)
    write_rows(place.folder / "train.jsonl", [renamed(r) for r in rows[:40]])
    test = write_rows(place.folder / "test.jsonl", [renamed(r) for r in rows[40:]])
    result = place.run({"data.columns.label": "mood"})
    asked = [{"tweet": r["text"]} for r in rows[40:]]
    plain = [{"text": r["text"]} for r in rows[40:]]
    answers = list(api.predict(result.run, asked, place.store))
    assert answers == list(api.predict(result.run, plain, place.store))
    right = sum(a["label"] == r["label"] for a, r in zip(answers, rows[40:], strict=True))
    assert right / 8 == pytest.approx(result.metrics["tuned"]["accuracy"])
    again = api.evaluate(result.run, str(test), place.store)
    assert again["metrics"]["accuracy"] == pytest.approx(right / 8)
