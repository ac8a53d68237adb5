"""The tasks of the live comparison: sets that no recorded history holds, sampled anew per seed."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARTS = ("train", "validation", "check", "test")
"""`check` is what trajectories are read on: no method ever sees it."""

SIZES = {"train": 300, "validation": 200, "check": 400, "test": 600}
QUICK = {"train": 48, "validation": 24, "check": 24, "test": 24}


@dataclass(frozen=True)
class LiveTask:
    """A set and the columns it is read from; `sealed` names the file of its test part, None where
    the set is one file that is divided here."""

    name: str
    text: str
    label: str
    sealed: str | None = "test"


TASKS = (
    LiveTask("medmcqa", "prompt", "group"),
    LiveTask("mts_dialog", "prompt", "label"),
    LiveTask("crows_pairs", "text", "group", sealed=None),
)


def sample(
    task: LiveTask,
    seed: int,
    data: Path,
    folder: Path,
    quick: bool,
    wanted: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Writes one file per part into `folder` and returns the rows of each, as many as `wanted`
    says where it is given.

    Test rows are the same for all seeds. Rows of labels that training does not hold are left out
    of the other parts, and a text stands in one part only.
    """
    sizes = wanted or (QUICK if quick else SIZES)
    test, pool = _divided(task, data)
    random.Random(f"{task.name} {seed}").shuffle(pool)
    parts: dict[str, list[dict[str, str]]] = {"train": pool[: sizes["train"]]}
    known = {row["label"] for row in parts["train"]}
    left = [row for row in pool[sizes["train"] :] if row["label"] in known]
    parts["validation"] = left[: sizes["validation"]]
    parts["check"] = left[sizes["validation"] :][: sizes["check"]]
    parts["test"] = [row for row in test if row["label"] in known][: sizes["test"]]
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in parts.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {name: len(rows) for name, rows in parts.items()}


def _divided(task: LiveTask, data: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Test rows, and the pool that training and the two other parts are drawn from."""
    folder = data / task.name
    if task.sealed is None:
        every = _rows(task, [folder / "test.jsonl"], set())
        random.Random(f"{task.name} test").shuffle(every)
        cut = len(every) * 2 // 7
        return every[:cut], every[cut:]
    seen: set[str] = set()
    test = _rows(task, [folder / f"{task.sealed}.jsonl"], seen)
    random.Random(f"{task.name} test").shuffle(test)
    return test, _rows(task, [folder / "train.jsonl", folder / "validation.jsonl"], seen)


def _rows(task: LiveTask, files: list[Path], seen: set[str]) -> list[dict[str, str]]:
    found = []
    for file in files:
        for line in file.read_text(encoding="utf-8").strip("\n").split("\n"):
            row: dict[str, Any] = json.loads(line)
            text, label = str(row.get(task.text) or "").strip(), row.get(task.label)
            if text and label is not None and text not in seen:
                seen.add(text)
                found.append({"text": text, "label": str(label)})
    return found
