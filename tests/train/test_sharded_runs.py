"""Whole runs: held in parts or whole, begun by one and ended by several, they give one model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from launch import torchrun
from safetensors.torch import load_file
from sharded_runs import interrupted, recipe_of
from torch import Tensor

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.stages import api
from luthier.store.store import RunRecord, Store
from tiny import furthest, task_rows

SCRIPT = str(Path(__file__).with_name("sharded_runs.py"))
RECIPE = """
data: {{train: {task}.jsonl}}
model: {{id: {model}}}
adapter: {{kind: {adapter}}}
train:
  max_steps: 6
  batch_size: 8
  micro_batch: 3
  learning_rate: {rate}
  patience: null
  optimizer: {{kind: {kind}}}
evaluate: {{draws: 100, max_new_tokens: 4, probe: false, metric: {metric}}}
"""


@pytest.fixture
def place(bert: Path, llama: Path, tmp_path: Path) -> Path:
    """Data and recipes for a classifier with LoRA and a causal model trained whole."""
    given = (
        (Task.CLASSIFY, bert, "lora", "adamw", 0.001, "log_loss"),
        (Task.INSTRUCT, llama, "full", "sgd", 0.01, "auto"),
    )
    for task, model, adapter, kind, rate, metric in given:
        rows = task_rows(task, 60)
        if task is Task.CLASSIFY:
            rows = [row | {"label": "ab"[row["text"] < "m"]} for row in rows]
        (tmp_path / f"{task.value}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        text = RECIPE.format(
            task=task.value, model=model, adapter=adapter, kind=kind, rate=rate, metric=metric
        )
        (tmp_path / f"{task.value}.yaml").write_text(text)
    return tmp_path


def _model(run: RunRecord) -> dict[str, Tensor]:
    """Every tensor a run has kept, by file and name."""
    files = sorted((run.path / "model").rglob("*.safetensors"))
    return {f"{f.name}/{n}": t for f in files for n, t in load_file(str(f)).items()}


@pytest.mark.slow
def test_held_in_parts_or_whole_a_run_is_the_same(place: Path) -> None:
    store = Store.open(folder=place / "home")
    alone = {
        name: store.find(api.run(recipe_of(place, name, "auto"), place, None, store).run)
        for name in ("classify", "instruct")
    }
    interrupted(place, store, "off", here=True)
    (begun,) = (r for r in store.list() if r.status == "interrupted")
    known = {*(r.id for r in alone.values()), begun.id}
    done = torchrun([SCRIPT, str(place), begun.id])
    assert done.returncode == 0, done.stderr[-5000:]
    new = sorted((r for r in store.list() if r.id not in known), key=lambda r: r.created)
    assert [r.status for r in new] == ["finished", "finished", "interrupted"]
    classify, instruct, left = new
    api.resume(left.id, store)
    for run, other in (
        (classify, alone["classify"]),
        (instruct, alone["instruct"]),
        (begun, alone["classify"]),
        (left, alone["classify"]),
    ):
        again = store.find(run.id)
        assert again.status == "finished" and again.facts["best_step"] > 3
        mine, theirs = _model(again), _model(other)
        assert furthest(mine, theirs) < 1e-6
        assert again.facts["metrics"]["tuned"] == pytest.approx(
            other.facts["metrics"]["tuned"], abs=1e-4
        )
    plan = json.loads((classify.path / "plan.json").read_text())
    assert plan["legal"]["shard"] == {
        "on": True,
        "why": "each of 2 processes holds a part of the model",
    }


def test_one_process_cannot_hold_a_part(place: Path) -> None:
    recipe = recipe_of(place, "classify", "on")
    with pytest.raises(FixRecipe, match=r"fast\.shard: .*there is one process.*torchrun"):
        api.plan(recipe, place)
    planned = api.plan(recipe_of(place, "classify", "auto"), place)
    assert planned.legal["shard"] == {"on": False, "why": "there is one process"}
