"""Ctrl-C in the middle of `luthier run`, then `luthier runs resume`: as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from luthier.core.types import Task
from tiny import task_rows

RECIPE = """
task: classify
data: {{train: rows.jsonl}}
model: {{id: {model}, precision: float32}}
adapter: {{kind: lora, rank: 4, dropout: 0.2}}
train: {{max_steps: 400, epochs: 400, batch_size: 8, learning_rate: 1e-3, validations: 20,
  patience: null}}
evaluate: {{draws: 100}}
"""


def _start(folder: Path, home: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "luthier.cli.main", *words],
        cwd=folder,
        env=os.environ | {"LUTHIER_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _wait_for(home: Path, child: subprocess.Popen[bytes]) -> Path:
    """The folder of the run once some updates were made."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        found = list(home.rglob("best/best.json"))
        if found:
            # That was written before the first update; all of them take several times as long.
            time.sleep(0.7)
            return found[0].parents[1]
        time.sleep(0.02)
    pytest.fail(f"training never began: {child.communicate()[1].decode()[-2000:]}")


def _weights(run: Path) -> dict[str, torch.Tensor]:
    files = sorted((run / "model").rglob("*.safetensors"))
    assert len(files) == 2
    return {f"{f.name} {n}": t for f in files for n, t in load_file(f).items()}


@pytest.mark.slow
def test_interrupted_and_resumed(bert: Path, tmp_path: Path) -> None:
    rows = task_rows(Task.CLASSIFY, 90)
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(model=bert), encoding="utf-8")
    whole = _start(tmp_path, tmp_path / "whole", "run", "recipe.yaml", "--json")
    answer, errors = whole.communicate(timeout=200)
    assert whole.returncode == 0, errors.decode()[-2000:]
    unbroken = Path(json.loads(answer.decode().strip().splitlines()[-1])["path"])

    home = tmp_path / "broken"
    child = _start(tmp_path, home, "run", "recipe.yaml", "--json")
    run = _wait_for(home, child)
    child.send_signal(signal.SIGINT)
    answer, errors = child.communicate(timeout=100)
    assert child.returncode == 130, errors.decode()[-2000:]
    assert f"luthier runs resume {run.name}" in answer.decode() + errors.decode()
    stopped = json.loads((run / "checkpoint" / "state.json").read_text())["step"]
    assert 0 < stopped < 400
    assert not (run / "model").exists()

    again = _start(tmp_path, home, "runs", "resume", run.name, "--json")
    answer, errors = again.communicate(timeout=200)
    assert again.returncode == 0, errors.decode()[-2000:]
    mine, theirs = _weights(run), _weights(unbroken)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    measured = [json.loads((r / "metrics.json").read_text()) for r in (run, unbroken)]
    assert measured[0] == measured[1]
