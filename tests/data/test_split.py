"""Splits are disjoint, complete, repeatable, fair to labels and safe for groups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.core.errors import CheckRun, FixData, FixRecipe
from luthier.core.types import Task
from luthier.data.split import SealedTest, Splits, make_splits
from luthier.data.table import Table

GOLDEN = [[0, 1, 3, 7, 8, 11], [2, 6, 10], [4, 5, 9]]


def table(rows: list[dict[str, Any]], path: Path, task: Task = Task.CLASSIFY) -> Table:
    return Table.write(enumerate(rows, start=1), path / "rows.arrow", task)


def labelled(count: int, classes: int = 3) -> list[dict[str, Any]]:
    return [{"text": f"text number {i}", "label": f"c{i % classes}"} for i in range(count)]


def parts(splits: Splits) -> list[set[int]]:
    return [set(rows.tolist()) for rows in (splits.train, splits.validation, splits.test)]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(st.integers(0, 30), min_size=40, max_size=120),
    groups=st.lists(st.integers(0, 60), min_size=120, max_size=120),
    seed=st.integers(0, 99),
)
def test_the_laws_of_a_division(
    texts: list[int], groups: list[int], seed: int, tmp_path: Path
) -> None:
    rows = [
        {"text": f"Text  {t}" if i % 2 else f"text {t}", "label": "a", "group": f"g{groups[i]}"}
        for i, t in enumerate(texts)
    ]
    made = table(rows, tmp_path)
    try:
        splits = make_splits(made, 0.2, 0.2, seed)
    except FixData as error:
        assert "too few" in str(error)
        return
    train, validation, test = parts(splits)
    assert train | validation | test == set(range(len(rows)))
    assert len(train) + len(validation) + len(test) == len(rows)
    assert train and validation and test
    again = make_splits(made, 0.2, 0.2, seed)
    assert parts(again) == [train, validation, test]
    for key in (lambda row: row["text"].lower().split()[1], lambda row: row["group"]):
        sides: dict[str, set[int]] = {}
        for side, members in enumerate((train, validation, test)):
            for i in members:
                sides.setdefault(key(rows[i]), set()).add(side)
        assert all(len(found) == 1 for found in sides.values())


def test_another_seed_divides_otherwise(tmp_path: Path) -> None:
    made = table(labelled(200), tmp_path)
    first, second = make_splits(made, 0.1, 0.1, 1), make_splits(made, 0.1, 0.1, 2)
    assert set(first.test.tolist()) != set(second.test.tolist())


def test_the_division_stays_the_same_for_ever(tmp_path: Path) -> None:
    """Written down once: another process, machine or version must give these rows."""
    splits = make_splits(table(labelled(12), tmp_path), 0.25, 0.25, 13)
    assert splits.train.dtype == np.int64
    assert [sorted(part) for part in parts(splits)] == GOLDEN


def test_labels_keep_their_shares(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "label": "rare" if i % 10 == 0 else "usual"} for i in range(400)]
    splits = make_splits(table(rows, tmp_path), 0.1, 0.2, 13)
    for part, size in ((splits.train, 280), (splits.validation, 40), (splits.test, 80)):
        assert abs(len(part) - size) <= 1
        share = Counter(rows[i]["label"] for i in part.tolist())["rare"] / len(part)
        assert share == pytest.approx(0.1, abs=0.03)


def test_every_label_is_trained_even_with_one_row(tmp_path: Path) -> None:
    rows = labelled(60) + [{"text": f"lone {i}", "label": f"only {i}"} for i in range(12)]
    for seed in range(5):
        splits = make_splits(table(rows, tmp_path), 0.2, 0.3, seed)
        trained = {rows[i]["label"] for i in splits.train.tolist()}
        assert trained == {row["label"] for row in rows}


def test_every_label_of_many_is_trained(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "labels": ["a", "b"] if i % 2 else ["c"]} for i in range(50)]
    rows[7]["labels"] = ["a", "lone"]
    splits = make_splits(table(rows, tmp_path, Task.MULTILABEL), 0.2, 0.2, 13)
    assert {"lone", "a", "b", "c"} == {n for i in splits.train.tolist() for n in rows[i]["labels"]}


def test_too_few_rows_say_how_many_are_needed(tmp_path: Path) -> None:
    with pytest.raises(FixData, match="At least 4 are needed"):
        make_splits(table(labelled(2, 2), tmp_path), 0.1, 0.1, 13)
    splits = make_splits(table(labelled(4, 2), tmp_path), 0.1, 0.1, 13)
    assert [len(part) for part in parts(splits)] == [2, 1, 1]


def test_a_share_of_nothing_leaves_a_split_empty(tmp_path: Path) -> None:
    splits = make_splits(table(labelled(9), tmp_path), 0.0, 0.0, 13)
    assert [len(part) for part in parts(splits)] == [9, 0, 0]


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.1), (0.1, 1.0), (0.6, 0.5)])
def test_impossible_shares_are_refused(validation: float, test: float, tmp_path: Path) -> None:
    with pytest.raises(FixRecipe):
        make_splits(table(labelled(20), tmp_path), validation, test, 13)


def test_one_instruction_for_all_rows_does_not_glue_them(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": "Write a line."},
                {"role": "assistant", "content": f"line {i}"},
            ]
        }
        for i in range(40)
    ]
    splits = make_splits(table(rows, tmp_path, Task.INSTRUCT), 0.1, 0.1, 13)
    assert [len(part) for part in parts(splits)] == [32, 4, 4]


def test_the_seal_opens_for_one_purpose() -> None:
    sealed = SealedTest(np.array([3, 1]))
    assert sealed.openings == []
    rows = sealed.open("last evaluation")
    assert rows.tolist() == [3, 1]
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 9
    sealed.open("last evaluation")
    with pytest.raises(CheckRun, match="early stopping"):
        sealed.open("early stopping")
    assert sealed.openings == ["last evaluation", "last evaluation"]
