"""Which rows make up an update: every row once per epoch, decided by seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan, EpochBatches, sequential
from luthier.data.feed.encode import Encoded
from luthier.data.feed.ragged import Ragged


def _encoded(lengths: list[int], task: Task = Task.CLASSIFY) -> Encoded:
    sides = 2 if task is Task.PREFER else 1
    return Encoded(
        task,
        Ragged.pack(([7] * n for n in lengths for _ in range(sides)), "int32"),
        np.arange(len(lengths)),
        np.ones(len(lengths), np.float32),
        learn=Ragged.pack(([1] * n for n in lengths for _ in range(sides)), "uint8"),
    )


def _rows(batches: EpochBatches, step: int) -> list[int]:
    return [int(row) for micro in batches.at(step) for row in micro.rows]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=70),
    batch_size=st.integers(1, 9),
    micro_rows=st.one_of(st.none(), st.integers(1, 9)),
    micro_tokens=st.integers(1, 120),
    bucket=st.booleans(),
    task=st.sampled_from([Task.CLASSIFY, Task.INSTRUCT, Task.PREFER]),
    seed=st.integers(0, 99),
)
def test_every_row_once_per_epoch(
    lengths: list[int],
    batch_size: int,
    micro_rows: int | None,
    micro_tokens: int,
    bucket: bool,
    task: Task,
    seed: int,
) -> None:
    plan = BatchPlan(batch_size, seed, 0, micro_rows, micro_tokens, bucket)
    chosen = np.arange(0, len(lengths), 2)
    batches = EpochBatches(_encoded(lengths, task), chosen, plan)
    for epoch in range(2):
        seen: list[int] = []
        for step in range(batches.steps_per_epoch):
            logical = batches.at(epoch * batches.steps_per_epoch + step)
            assert 1 <= logical.size <= batch_size
            for micro in logical:
                assert micro_rows is None or len(micro.rows) <= micro_rows
                assert len(micro.rows) == 1 or micro.ids.numel() <= micro_tokens
            seen += [int(row) for micro in logical for row in micro.rows]
        assert sorted(seen) == chosen.tolist()


def test_any_step_can_be_asked_for_first() -> None:
    plan = BatchPlan(4, 3, 0)
    forward = EpochBatches(_encoded(list(range(1, 30))), np.arange(29), plan)
    backward = EpochBatches(_encoded(list(range(1, 30))), np.arange(29), plan)
    there = [_rows(forward, step) for step in range(20)]
    back = [_rows(backward, step) for step in reversed(range(20))]
    assert there == back[::-1]


def test_epochs_and_seeds_differ() -> None:
    lengths = list(range(1, 41))
    one = EpochBatches(_encoded(lengths), np.arange(40), BatchPlan(8, 0, 0))
    other = EpochBatches(_encoded(lengths), np.arange(40), BatchPlan(8, 1, 0))
    first = [_rows(one, step) for step in range(5)]
    assert first != [_rows(one, step) for step in range(5, 10)]
    assert first != [_rows(other, step) for step in range(5)]


def test_bucketing_pads_less() -> None:
    dice = np.random.default_rng(0)
    encoded = _encoded(dice.integers(1, 60, 400).tolist())

    def padded(bucket: bool) -> int:
        batches = EpochBatches(encoded, np.arange(400), BatchPlan(16, 0, 0, bucket=bucket))
        return sum(m.ids.numel() for s in range(batches.steps_per_epoch) for m in batches.at(s))

    assert padded(True) < 0.7 * padded(False)


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_a_batch(processes: int) -> None:
    encoded, plan = _encoded(list(range(1, 30))), BatchPlan(7, 0, 0)
    alone = EpochBatches(encoded, np.arange(29), plan)
    shares = [
        EpochBatches(encoded, np.arange(29), plan, share=(rank, processes))
        for rank in range(processes)
    ]
    for step in range(alone.steps_per_epoch):
        together = [row for share in shares for row in _rows(share, step)]
        assert sorted(together) == sorted(_rows(alone, step))
        assert {share.at(step).weight for share in shares} == {alone.at(step).weight}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(1, 9))
def test_passes_without_training_read_every_row(lengths: list[int], rows: int) -> None:
    parts = sequential(
        _encoded(lengths), np.arange(len(lengths)), BatchPlan(4, 0, 0, micro_tokens=90), rows
    )
    assert sorted(int(i) for part in parts for i in part) == list(range(len(lengths)))
    assert all(len(part) <= rows for part in parts)
