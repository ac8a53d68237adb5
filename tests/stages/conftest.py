"""Tiny models, rows in files, and a store of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage_place import Place, write_rows

from luthier.core.types import Task
from luthier.store.store import Store
from tiny import bert, llama, masked_bert, task_rows

__all__ = ["bert", "llama", "masked_bert"]


@pytest.fixture
def place(bert: Path, tmp_path: Path) -> Place:
    """A folder with rows of a classification task, a tiny encoder and an empty store."""
    rows = task_rows(Task.CLASSIFY, 48)
    write_rows(tmp_path / "train.jsonl", rows[:40])
    write_rows(tmp_path / "test.jsonl", rows[40:])
    return Place(tmp_path, Store.open(folder=tmp_path / "home"), bert)
