"""A first run with the default recipe trains long enough to be useful."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier.core.types import Task
from luthier.recipe.load import recipe_from_dict
from luthier.stages.planning import resolve, schedule
from tiny import make_bench


@pytest.mark.parametrize("rows", [100, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.INSTRUCT])
def test_many_updates_and_whole_passes(task: Task, rows: int, bert: Path, llama: Path) -> None:
    bench = make_bench(llama if task.generates else bert, task)
    recipe = recipe_from_dict({"task": task.value, "data": {"train": "x"}})
    timing = schedule(resolve(recipe, task, rows, bench.network, bench.adapter), rows)
    assert timing.epochs >= 2
    assert timing.steps >= (60 if rows > 500 else 15)
    assert timing.steps * recipe.train.batch_size >= 2 * rows
    assert timing.rate > 0 and 1 <= timing.every <= timing.steps
    assert timing.steps // timing.every >= 8 or timing.every == 1
