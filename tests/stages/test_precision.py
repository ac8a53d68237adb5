"""A base held in bfloat16 goes the whole way, for every task, where the machine has the format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, write_rows

from luthier.core.types import Task
from luthier.models.probe import load_probe
from luthier.stages import api
from luthier.store.store import Store
from tiny import task_rows

WAYS: Mapping[str, Mapping[str, Any]] = {
    "lora": {},
    "full": {"adapter.kind": "full", "train.learning_rate": 1e-3},
    "top": {"adapter.top_layers": 1},
}


@pytest.fixture(scope="module", autouse=True)
def _the_machine_has_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Asked in a child process: a product in a format the processor lacks may kill the process.
    found = load_probe("cpu", tmp_path_factory.mktemp("probe"))["bfloat16"]
    if not found.works:
        pytest.skip(f"no bfloat16 on this machine: {found.reason}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("task", list(Task))
def test_a_run_in_bfloat16_is_measured_and_answers(
    task: Task, way: str, bert: Path, llama: Path, tmp_path: Path
) -> None:
    rows = task_rows(task, 48)
    write_rows(tmp_path / "train.jsonl", rows[:40])
    write_rows(tmp_path / "test.jsonl", rows[40:])
    causal = task.generates
    place = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama if causal else bert)
    result = place.run({"task": task.value, "model.precision": "bfloat16", **WAYS[way]})
    numbers = [v for v in result.metrics["tuned"].values() if isinstance(v, float)]
    assert numbers and not any(math.isnan(v) for v in numbers)
    if task in (Task.ADAPT, Task.PREFER):
        return
    asked = [{"prompt" if causal else "text": "a word"}] * 3
    found = list(api.predict(result.run, asked, store=place.store))
    assert len(found) == len(asked)
