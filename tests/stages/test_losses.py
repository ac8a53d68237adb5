"""A run stops when more rows than a limit have nothing left to learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stage_place import Place, write_rows

from luthier.core.errors import FixData
from luthier.core.types import Task
from tiny import task_rows


def _with_long(place: Place, llama: Path, count: int) -> Place:
    rows = task_rows(Task.INSTRUCT, 48)
    for row in rows[:count]:
        row["messages"][0]["content"] = "late " * 200
    write_rows(place.folder / "train.jsonl", rows[:40])
    write_rows(place.folder / "test.jsonl", rows[40:])
    return replace(place, model=llama)


def test_few_lost_rows_are_told_and_many_stop(place: Place, llama: Path) -> None:
    wanted = {"task": "instruct", "model.max_tokens": 120}
    assert _with_long(place, llama, 2).run(wanted).run
    error, _ = _with_long(place, llama, 12).refused(wanted)
    assert isinstance(error, FixData)
    assert "12 rows (30%) have nothing left to learn" in error.met
    assert error.place.startswith("train.jsonl, rows ")
    assert "model.max_tokens" in error.advice


def test_what_the_recipe_asks_for_is_done(place: Place, llama: Path) -> None:
    long = _with_long(place, llama, 12)
    wanted = {"task": "instruct", "model.max_tokens": 120, "model.overlong": "drop"}
    assert long.run(wanted).run
