"""A folder with data files, a store and a tiny model, in which whole runs take a second."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.core.errors import LuthierError
from luthier.recipe.load import recipe_from_dict
from luthier.recipe.recipe import Recipe
from luthier.stages import api
from luthier.store.manifest import Manifest
from luthier.store.records import RunRecord
from luthier.store.store import Store

DEFAULT: Mapping[str, Any] = {
    "task": "classify",
    "data.train": "train.jsonl",
    "data.test": "test.jsonl",
    "model.precision": "float32",
    "adapter.kind": "lora",
    "train.max_steps": 4,
    "train.batch_size": 8,
    "train.learning_rate": 1e-2,
    "train.validations": 2,
    "evaluate.draws": 100,
    "evaluate.forgetting": False,
    "evaluate.generate_rows": 8,
    "evaluate.max_new_tokens": 6,
}


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as sections; a key whose value is None is left out."""
    content: dict[str, Any] = {}
    for key, value in flat.items():
        *sections, name = key.split(".")
        inner = content
        for section in sections:
            inner = inner.setdefault(section, {})
        if value is not None:
            inner[name] = value
    return content


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A JSON lines file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Place:
    """Where runs happen."""

    folder: Path
    store: Store
    model: Path

    def content(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A recipe as plain values."""
        return nested(DEFAULT | {"model.id": str(self.model)} | dict(changes or {}))

    def recipe(self, changes: Mapping[str, Any] | None = None) -> Recipe:
        """A recipe with some dotted keys changed."""
        return recipe_from_dict(self.content(changes))

    def run(self, changes: Mapping[str, Any] | None = None) -> api.RunResult:
        """A whole run."""
        return api.run(self.recipe(changes), self.folder, store=self.store)

    def refused(self, changes: Mapping[str, Any] | None = None) -> tuple[LuthierError, RunRecord]:
        """The error a run ends with, and the run, which is marked failed with that reason."""
        try:
            self.run(changes)
        except LuthierError as error:
            record = self.store.find("last")
            assert record.status == "failed"
            assert record.reason == str(error)
            assert error.place and error.met
            assert not (record.path / "model").exists()
            return error, record
        raise AssertionError("the run was not refused")


def is_whole(record: RunRecord) -> bool:
    """Whether a finished run has everything it had when it ended."""
    return record.status == "finished" and Manifest.verify(record.path) == []
