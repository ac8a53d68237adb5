"""Text metrics come from answers that were written, and measuring them takes bounded memory."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from luthier.core.types import Task
from luthier.evaluate.interval import bootstrap
from luthier.evaluate.predictions import TextPredictions
from luthier.recipe.load import recipe_from_dict
from luthier.stages import api
from luthier.stages.parts.answers import score_all
from luthier.stages.parts.generation import written
from luthier.store.store import Store
from tiny import make_bench, task_rows


def _answers(llama: Path, rows: list[dict[str, Any]]) -> TextPredictions:
    bench = make_bench(llama, Task.INSTRUCT, rows=rows)
    recipe = recipe_from_dict({"task": "instruct", "data": {"train": "x"}})
    shop: Any = SimpleNamespace(
        task=Task.INSTRUCT, head=bench.head, contract=bench.contract, recipe=recipe
    )
    exam = bench.exam()
    return written(shop, bench.network, exam, score_all(bench.network, bench.head, exam), 9)


def test_the_reference_moves_its_likelihood_and_no_answer(llama: Path) -> None:
    rows = task_rows(Task.INSTRUCT, 9)
    others = [
        {"messages": [*row["messages"][:-1], row["messages"][-1] | {"content": "iron tablets"}]}
        for row in rows
    ]
    one, other = _answers(llama, rows), _answers(llama, others)
    assert list(one.texts) == list(other.texts)
    assert [t[0] for t in other.truth] == ["iron tablets"] * 9 != [t[0] for t in one.truth]
    assert not np.allclose(one.nats, other.nats)


def test_what_is_measured_is_what_prediction_writes(llama: Path, tmp_path: Path) -> None:
    rows = task_rows(Task.INSTRUCT, 48)
    # One answer for most rows is soon learnt; the others keep the score below the best.
    for row in (row for i, row in enumerate(rows) if i % 4):
        row["messages"][-1]["content"] = "pay today"
    for name, part in (("train", rows[:40]), ("test", rows[40:])):
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    recipe = recipe_from_dict(
        {
            "task": "instruct",
            "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "model": {"id": str(llama), "precision": "float32"},
            "train": {"max_steps": 40, "batch_size": 8, "epochs": 9, "learning_rate": 3e-2},
            "evaluate": {"draws": 100, "forgetting": False, "max_new_tokens": 12},
        }
    )
    store = Store.open(folder=tmp_path / "home")
    ended = api.run(recipe, tmp_path, store=store)
    asked = [{"messages": row["messages"][:-1]} for row in rows[40:]]
    texts = [str(answer["response"]) for answer in api.predict(ended.run, asked, store)]
    truth = [[row["messages"][-1]["content"]] for row in rows[40:]]
    nothing = np.zeros(8, np.float32)
    alone = TextPredictions(truth, texts, np.arange(8), nothing, nothing + 1, nothing + 1)
    found = bootstrap(alone, None, 100, 7)
    for name in ("rougeL", "chrf"):
        assert ended.metrics["tuned"][name] == pytest.approx(found[name].value, abs=1e-6)
    assert any(texts) and 0 < ended.metrics["tuned"]["rougeL"] < 1


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, torch.Tensor):
                self.numbers = max(self.numbers, tensor.numel())
        return made


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.TAG, Task.INSTRUCT, Task.ADAPT, Task.PREFER])
def test_memory_grows_with_a_batch_and_not_with_the_rows(
    task: Task, bert: Path, llama: Path
) -> None:
    seen = []
    for times in (8, 24):
        rows = task_rows(task, 24) * times
        bench = make_bench(llama if task.generates else bert, task, rows=rows)
        exam = bench.exam()
        with Largest() as largest:
            scores = score_all(bench.network, bench.head, exam)
        # what is kept of a row is a few numbers, never its logits over the words
        held = {
            id(whole): whole.nbytes for s in scores for whole in [s if s.base is None else s.base]
        }
        tokens = len(scores) * int(bench.encoded.ids.lengths.max())
        assert sum(held.values()) <= 4 * 8 * tokens < 4 * 320 * tokens
        seen.append(largest.numbers)
    assert seen[1] <= 1.5 * seen[0], seen
