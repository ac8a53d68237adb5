"""What other programs read: keys and types of every `--json` answer and of the answers file.

`LUTHIER_WRITE_GOLDEN=1` writes the files anew; a changed file is a changed contract.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from luthier.cli.main import app
from luthier.core.types import Finding, Level, Task
from tiny import task_rows

FOLDER = Path(__file__).parent / "contract"
RECIPE = """
task: {task}
data: {{train: train.jsonl, test: test.jsonl}}
model: {{id: {model}, precision: float32}}
train: {{max_steps: 2, batch_size: 8, validations: 1}}
evaluate: {{draws: 100, generate_rows: 8, max_new_tokens: 4, forgetting: false}}
"""
OPEN = ("recipe", "columns")
"""Objects whose keys follow from the input; only that they are objects is promised."""
MAPS = ("base", "tuned", "interval", "difference", "baselines", "metrics")
"""Objects by metric or model name; which metrics have a value follows from the rows."""
Call = Callable[..., list[Any]]


def shape(value: Any, key: str = "") -> Any:
    """Keys and types; of a list the shapes that occur."""
    if isinstance(value, dict) and key in MAPS and "base" not in value:
        inner = "interval" if key == "baselines" else ""
        found = [shape(v, inner) for v in value.values()]
        return {"each": [s for i, s in enumerate(found) if s not in found[:i]]}
    if isinstance(value, dict):
        return "object" if key in OPEN else {k: shape(v, k) for k, v in sorted(value.items())}
    if isinstance(value, list):
        found = [shape(v) for v in value]
        return [s for i, s in enumerate(found) if s not in found[:i]]
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def agreed(name: str, value: Any) -> None:
    """Compares a shape with the golden file of that name."""
    path, found = FOLDER / f"{name}.json", shape(value)
    if os.environ.get("LUTHIER_WRITE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    assert found == json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls `luthier` here and gives back the JSON lines of its standard output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUTHIER_HOME", str(tmp_path / "home"))

    def work(*words: str) -> list[Any]:
        ended = CliRunner().invoke(app, list(words))
        assert ended.exit_code == 0, ended.output
        return [json.loads(line) for line in ended.stdout.splitlines()]

    return work


def files(folder: Path, task: Task, model: Path) -> None:
    """Rows and a recipe."""
    lines = [json.dumps(row) + "\n" for row in task_rows(task, 48)]
    (folder / "train.jsonl").write_text("".join(lines[:40]), encoding="utf-8")
    (folder / "test.jsonl").write_text("".join(lines[40:]), encoding="utf-8")
    text = RECIPE.format(task=task.value, model=model)
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")


def test_classify(call: Call, bert: Path, tmp_path: Path) -> None:
    files(tmp_path, Task.CLASSIFY, bert)
    (first,) = call("init", "train.jsonl", "--out", "drafted.yaml", "--yes", "--json")
    agreed("init", first)
    assert first["recipe"] == "drafted.yaml" and first["task"] == "classify"
    assert first["columns"]["text"] == ["text"] and first["columns"]["label"] == "label"
    (planned,) = call("plan", "recipe.yaml", "--json")
    assert {"task", "rows", "findings", "estimate", "legal"} <= planned.keys()
    assert {"memory_mb", "seconds"} <= planned["estimate"].keys()
    findings = planned.pop("findings")
    agreed("plan", planned)
    agreed("finding", [*findings, FINDING])
    (ran,) = call("run", "recipe.yaml", "--json", "train.seed=3")
    assert ran.keys() == {"run", "path", "task", "metrics", "report", "seconds"}
    assert {"base", "tuned", "interval"} <= ran["metrics"].keys()
    assert Path(ran["report"]).is_file() and Path(ran["path"]).is_dir()
    agreed("run", ran)
    (measured,) = call("eval", ran["run"], "--data", "test.jsonl", "--json")
    assert measured["metrics"] == pytest.approx(ran["metrics"]["tuned"], abs=1e-4)
    agreed("eval", measured)
    call(
        "predict", ran["run"], "--data", "test.jsonl", "--out", "answers.jsonl", "--quiet", "--json"
    )
    agreed("predict-classify", _answers(tmp_path, 8))


FINDING = Finding("", Level.INFO, "", 1, (1,), ("a.csv",)).as_dict()


@pytest.mark.parametrize("task", [Task.TAG, Task.INSTRUCT])
def test_answers(task: Task, call: Call, bert: Path, llama: Path, tmp_path: Path) -> None:
    files(tmp_path, task, llama if task.generates else bert)
    (ran,) = call("run", "recipe.yaml", "--json")
    assert ran["task"] == task.value
    call("predict", ran["run"], "--data", "test.jsonl", "--out", "answers.jsonl", "--json")
    answers = _answers(tmp_path, 8)
    if task is Task.INSTRUCT:
        agreed("predict-instruct", answers)
        return
    assert all(answer.keys() == {"spans"} for answer in answers)
    for start, end, name in (span for answer in answers for span in answer["spans"]):
        assert isinstance(start, int) and start < end and isinstance(name, str)


def _answers(folder: Path, count: int) -> list[Any]:
    lines = (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == count
    return [json.loads(line) for line in lines]
