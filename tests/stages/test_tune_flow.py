"""A search from the recipe to the report, on every kind of task, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, write_rows

from luthier.core.types import Task
from luthier.stages import api
from luthier.store.store import Store
from tiny import task_rows

KINDS: dict[str, Mapping[str, Any]] = {
    "classify": {},
    "instruct": {"tune.maximize": "rougeL", "evaluate.generate_rows": 4},
    "tag": {},
    "regress": {"tune.maximize": ["mae", "parameters"]},
}


@dataclass(frozen=True)
class Tuned:
    """A finished search of three trials."""

    place: Place
    result: api.RunResult


@pytest.fixture(scope="module", params=list(KINDS))
def tuned(request: pytest.FixtureRequest, bert: Path, llama: Path, tmp_path_factory: Any) -> Tuned:
    task = Task(request.param)
    folder = tmp_path_factory.mktemp("tune")
    rows = task_rows(task, 56)
    write_rows(folder / "train.jsonl", rows[:48])
    write_rows(folder / "test.jsonl", rows[48:])
    place = Place(folder, Store.open(folder=folder / "home"), llama if task.generates else bert)
    changes = {
        "task": task.value,
        "tune.budget": "3 trials",
        "tune.seeds": 1,
        **KINDS[request.param],
    }
    return Tuned(place, place.run(changes))


def test_it_ends_with_a_measured_model_and_its_story(tuned: Tuned) -> None:
    result = tuned.result
    assert result.metrics["tuned"] and result.report.is_file()
    told = json.loads((result.path / "search.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(result.search))
    assert told["trials"][0]["source"] == "default"
    assert told["trials"][0]["curve"][-1][0] == 16
