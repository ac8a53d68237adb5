"""A plan from files alone is the plan of the loaded model, and meets the same errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from luthier.core.errors import LuthierError
from luthier.core.types import Task
from luthier.recipe.load import recipe_from_dict
from luthier.stages import api
from luthier.stages.forecast import foresee
from tiny import task_rows
from wordpiece import wordpiece

__all__ = ["wordpiece"]
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the card must be asked")
LABELLED = [Task.CLASSIFY, Task.MULTILABEL, Task.REGRESS, Task.TAG]
ADAPTERS: list[dict[str, Any]] = [
    {"kind": "lora", "rank": 4},
    {"kind": "lora", "rank": 3, "top_layers": 2, "decomposed": True},
    {"kind": "lora", "targets": ["query", "dense"]},
    {"kind": "ia3"},
    {"kind": "ia3", "top_layers": 1},
    {"kind": "full"},
    {"kind": "full", "top_layers": 1},
    {"kind": "none"},
]


@pytest.fixture(autouse=True)
def _plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foresee, "may_have_cuda", lambda: False)
    monkeypatch.setattr(foresee, "known_precision", lambda device: "float32")


def recipe(folder: Path, task: Task, base: Path, **sections: Any) -> Any:
    lines = [json.dumps(row) + "\n" for row in task_rows(task, 48)]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    given = {
        "task": task.value,
        "data": {"train": "rows.jsonl", "allow_leakage": True},
        "model": {"id": str(base), "precision": "float32"},
    }
    return recipe_from_dict(given | sections)


def both(given: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Plans, or errors, from files and from the loaded model."""
    found = []
    for looks in (True, False):
        with monkeypatch.context() as patched:
            if not looks:
                patched.setattr(foresee, "sketch", lambda folder: None)
            else:
                patched.setitem(sys.modules, "luthier.stages.workshop", None)
            try:
                found.append(api.plan(given, folder).as_dict())
            except LuthierError as error:
                found.append((type(error), str(error)))
    return found[0], found[1]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: "-".join(map(str, a.values())))
@pytest.mark.parametrize("task", LABELLED)
def test_the_same_plan(
    task: Task,
    adapter: dict[str, Any],
    wordpiece: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = {"id": str(wordpiece), "precision": "float32", "max_tokens": 20}
    given = recipe(tmp_path, task, wordpiece, adapter=adapter, model=model)
    early, late = both(given, tmp_path, monkeypatch)
    seconds = [plan["estimate"].pop("seconds") for plan in (early, late)]
    assert early == late
    assert min(seconds) > 0
    assert any(f["code"] == "truncated" for f in early["findings"])


@pytest.mark.parametrize(
    "sections",
    [
        {"adapter": {"kind": "lora", "top_layers": 9}},
        {"adapter": {"kind": "full", "top_layers": 9}},
        {"adapter": {"kind": "ia3", "top_layers": 9}},
        {"adapter": {"kind": "lora", "targets": ["quer"]}},
        {"adapter": {"kind": "ia3", "targets": ["dense"], "feedforward": ["nothing"]}},
        {"fast": {"prefix_cache": "on"}},
        {"fast": {"pack": "on"}},
        {"fast": {"chunked_loss": "on"}},
    ],
)
def test_the_same_errors(
    sections: dict[str, Any], wordpiece: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, late = both(
        recipe(tmp_path, Task.CLASSIFY, wordpiece, **sections), tmp_path, monkeypatch
    )
    if isinstance(early, dict):
        early["estimate"].pop("seconds"), late["estimate"].pop("seconds")
    assert early == late


def test_the_same_limit(wordpiece: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = {"id": str(wordpiece), "precision": "float32", "max_tokens": 65}
    early, late = both(
        recipe(tmp_path, Task.CLASSIFY, wordpiece, model=model), tmp_path, monkeypatch
    )
    assert early == late and "at most 64" in early[1]


@pytest.mark.parametrize(
    "section",
    [{"attention": "eager"}, {"precision": "bfloat16"}, {"id": "embedded:causal"}],
)
def test_everything_unusual_is_loaded(
    section: dict[str, Any], wordpiece: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "luthier.stages.workshop", None)
    model = {"id": str(wordpiece), "precision": "float32"} | section
    with pytest.raises(ImportError):
        api.plan(recipe(tmp_path, Task.CLASSIFY, wordpiece, model=model), tmp_path)


def test_nothing_heavy_is_loaded(wordpiece: Path, tmp_path: Path) -> None:
    recipe(tmp_path, Task.CLASSIFY, wordpiece)
    text = f"data: {{train: rows.jsonl}}\nmodel: {{id: {wordpiece}, precision: float32}}"
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    code = """
import sys
from luthier.stages.forecast import foresee
foresee.may_have_cuda = lambda: False
from luthier.stages import api
api.plan("recipe.yaml")
heavy = {"torch", "transformers", "peft", "sklearn", "scipy", "sqlalchemy"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
