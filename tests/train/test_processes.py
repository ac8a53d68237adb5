"""Two processes that share every batch learn what one process learns."""

from __future__ import annotations

from pathlib import Path

import pytest
from launch import torchrun
from safetensors.torch import load_file

from luthier.core.types import Task
from tiny import furthest, make_bench, same_bits

SCRIPT = Path(__file__).with_name("one_process.py")


@pytest.mark.slow
@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.INSTRUCT])
def test_two_processes_equal_one(task: Task, bert: Path, llama: Path, tmp_path: Path) -> None:
    folder = llama if task.generates else bert
    done = torchrun([str(SCRIPT), str(folder), task.value, str(tmp_path)])
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (load_file(str(tmp_path / f"rank{r}.safetensors")) for r in (0, 1))
    assert same_bits(first, second)
    bench = make_bench(folder, task)
    alone = bench.train(5, bench.batches(), kind="sgd", rate=0.05).snapshot()
    assert furthest(alone, first) < 1e-6


@pytest.mark.slow
def test_luthier_run_under_torchrun_writes_one_run(bert: Path, tmp_path: Path) -> None:
    rows = "".join(f"{word} the bank {i},{'ab'[i % 2]}\n" for i, word in enumerate(["yes"] * 80))
    data = tmp_path / "rows.csv"
    data.write_text(
        "text,label\n"
        + "".join(
            line.replace("yes", f"word{i}") for i, line in enumerate(rows.splitlines(keepends=True))
        )
    )
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"data:\n  train: rows.csv\nmodel:\n  id: {bert}\ntrain:\n  max_steps: 4\n"
        "evaluate:\n  draws: 100\n"
    )
    home = tmp_path / "home"
    done = torchrun(["-m", "luthier.cli.main", "--home", str(home), "--json", "run", str(recipe)])
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((home / "runs").iterdir())) == 1
    assert done.stdout.count('"report"') == 1
