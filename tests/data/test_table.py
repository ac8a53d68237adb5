"""A table gives back what was written, and is there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from luthier.core.errors import FixData, FreeDisk
from luthier.core.types import Task
from luthier.data.table import Table

TOOL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"x": [1, None]}}}
ROWS: dict[Task, list[dict[str, Any]]] = {
    Task.CLASSIFY: [{"text": "é\u2028\n", "label": "a", "group": "g"}, {"text": "b", "label": "c"}],
    Task.MULTILABEL: [{"text": "a", "labels": []}, {"text": "b", "labels": ["x", "y"]}],
    Task.REGRESS: [{"text": "a", "label": 0.1, "weight": 0.0}, {"text": "b", "label": -2.0}],
    Task.TAG: [{"text": "in Rome", "spans": [[3, 7, "LOC"]]}, {"text": "b", "spans": []}],
    Task.INSTRUCT: [
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
        {
            "messages": [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "", "tool_calls": [TOOL]},
            ]
        },
    ],
    Task.ADAPT: [{"text": "a", "identity": "7"}, {"text": "b"}],
    Task.PREFER: [
        {"messages": [{"role": "user", "content": "q"}], "chosen": "yes", "rejected": "no"}
    ],
}


@pytest.mark.parametrize("task", list(Task))
def test_rows_come_back_as_written(task: Task, tmp_path: Path) -> None:
    rows = ROWS[task]
    Table.write(enumerate(rows, start=11), tmp_path / "t.arrow", task)
    table = Table.open(tmp_path / "t.arrow")
    assert table.task is task
    assert len(table) == len(rows)
    assert [table.row(i) for i in range(len(table))] == rows
    assert list(table.rows()) == rows
    assert list(table.take(range(len(rows))[::-1])) == rows[::-1]
    assert table.source_row(0) == 11
    assert table.source_rows().tolist() == list(range(11, 11 + len(rows)))
    for name in rows[0].keys() - {"group", "weight", "identity"}:
        assert table.column(name) == [row[name] for row in rows]
    assert all(isinstance(table.text(i), str) for i in range(len(table)))


def test_the_text_of_a_conversation_and_of_its_prompt(tmp_path: Path) -> None:
    table = Table.write([(1, ROWS[Task.INSTRUCT][0])], tmp_path / "t.arrow", Task.INSTRUCT)
    assert table.text(0) == "q\na"
    assert table.input_text(0) == "q"


def test_many_batches_read_at_any_place(tmp_path: Path) -> None:
    rows = ((i + 1, {"text": f"row {i}"}) for i in range(5000))
    table = Table.write(rows, tmp_path / "t.arrow", Task.ADAPT)
    assert [row["text"] for row in table.take([4999, 0, 2500])] == ["row 4999", "row 0", "row 2500"]
    assert table.source_row(4321) == 4322
    with pytest.raises(IndexError):
        table.row(5000)
    with pytest.raises(IndexError):
        table.row(-1)


def test_rows_are_written_while_they_come(tmp_path: Path) -> None:
    """About 200 MB pass through: they reach the disk on the way and do not stay in memory."""
    text = "x" * 10_000

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for i in range(20_000):
            yield i + 1, {"text": text}
            if i % 5000 == 4999:
                assert pa.total_allocated_bytes() < 100 << 20
                written = sum(path.stat().st_size for path in tmp_path.iterdir())
                assert written > (i - 3000) * len(text)

    table = Table.write(rows(), tmp_path / "t.arrow", Task.ADAPT)
    assert len(table) == 20_000
    assert pa.total_allocated_bytes() < 100 << 20
    assert table.row(19_999)["text"] == text


def test_a_failure_leaves_the_old_table_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    Table.write([(1, {"text": "old"})], path, Task.ADAPT)

    def broken() -> Iterator[tuple[int, dict[str, Any]]]:
        for i in range(3000):
            yield i, {"text": "new"}
        raise FixData("rows", "the source broke")

    with pytest.raises(FixData):
        Table.write(broken(), path, Task.ADAPT)
    assert Table.open(path).row(0) == {"text": "old"}
    assert [p.name for p in tmp_path.iterdir()] == ["t.arrow"]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FreeDisk, match="disk is full"):
        Table.write([(1, {"text": "a"})], tmp_path / "t.arrow", Task.ADAPT)
    assert list(tmp_path.iterdir()) == []


def test_no_rows_make_no_table(tmp_path: Path) -> None:
    with pytest.raises(FixData, match="no rows"):
        Table.write([], tmp_path / "t.arrow", Task.ADAPT)
    assert list(tmp_path.iterdir()) == []


def test_unknown_fields_are_not_dropped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="labl"):
        Table.write([(1, {"text": "a", "labl": "b"})], tmp_path / "t.arrow", Task.CLASSIFY)


@pytest.mark.parametrize("keep", [0, 8, 200])
def test_a_cut_table_is_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    Table.write([(1, {"text": "a" * 500})], path, Task.ADAPT)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FixData, match="not a prepared data table"):
        Table.open(path)
