"""A first run with the default recipe trains long enough to be useful."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luthier.core.types import Task
from luthier.recipe.load import recipe_from_dict
from luthier.stages import api
from luthier.stages.planning import resolve, schedule
from luthier.store.store import Store
from tiny import make_bench


@pytest.mark.parametrize("rows", [16, 100, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.INSTRUCT])
def test_many_updates_and_whole_passes(task: Task, rows: int, bert: Path, llama: Path) -> None:
    bench = make_bench(llama if task.generates else bert, task)
    recipe = recipe_from_dict({"task": task.value, "data": {"train": "x"}})
    timing = schedule(resolve(recipe, task, rows, bench.network, bench.adapter), rows)
    assert timing.epochs >= 2
    assert timing.steps >= (60 if rows > 500 or task is Task.INSTRUCT else rows // 32 * 5)
    assert timing.steps * recipe.train.batch_size >= 2 * rows
    assert timing.rate > 0 and 1 <= timing.every <= timing.steps
    assert timing.steps // timing.every >= 8 or timing.every == 1


def test_the_first_run_ends_with_a_useful_model(bert: Path, tmp_path: Path) -> None:
    """Nothing but task, rows and model is given; the base is random, and a word decides."""
    kinds = {"card": "fee late again", "loan": "money back now", "pain": "left arm cough"}
    rows = [
        {"text": f"{word} {rest} {i}", "label": word}
        for i in range(80)
        for word, rest in kinds.items()
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    recipe = recipe_from_dict(
        {"task": "classify", "data": {"train": "rows.jsonl"}, "model": {"id": str(bert)}}
    )
    ended = api.run(recipe, tmp_path, store=Store.open(folder=tmp_path / "home"))
    baseline = max(m["accuracy"] for n, m in ended.metrics["baselines"].items() if "major" in n)
    low, _ = ended.metrics["interval"]["accuracy"]
    assert ended.metrics["tuned"]["accuracy"] >= 0.9 and low > baseline
