"""Several rows in one sequence give the same training as one row per sequence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.models.heads.language import token_nll
from tiny import Bench, furthest, losses_of, make_bench


def _packed(bench: Bench, tokens: int = 96) -> Batch:
    batch = bench.batches(pack_tokens=tokens).collate(bench.all[:8])
    assert batch.segments is not None
    assert len(batch.ids) < 8, "nothing was packed"
    return batch


@pytest.mark.parametrize("task", [Task.INSTRUCT, Task.ADAPT])
def test_training_on_or_off(task: Task, llama: Path) -> None:
    ends, curves = [], []
    for tokens in (96, None):
        bench = make_bench(llama, task)
        state = bench.train(5, bench.batches(pack_tokens=tokens), kind="sgd", rate=0.05)
        ends.append(state.snapshot())
        curves.append(losses_of(state))
    assert furthest(*ends) < 1e-5
    assert curves[0] == pytest.approx(curves[1], abs=1e-5)


def test_loss_of_each_row(llama: Path) -> None:
    bench = make_bench(llama, Task.INSTRUCT)
    bench.network.mode(False, False)
    with torch.no_grad():
        together = bench.head.losses(bench.network, _packed(bench)).per_example
        apart = bench.head.losses(bench.network, bench.batches().collate(bench.all[:8])).per_example
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_row_does_not_see_its_neighbours(llama: Path, chunked: bool) -> None:
    bench = make_bench(llama, Task.ADAPT, chunked=chunked)
    bench.network.mode(False, False)
    batch = _packed(bench)
    assert batch.segments is not None
    first = batch.segments[0, 0].item()
    other = batch.ids.clone()
    # Everything of the first row but nothing else becomes another token.
    other[batch.segments == first] = 40
    changed = replace(batch, ids=other)
    with torch.no_grad():
        before, owner = token_nll(bench.network, batch, chunked)
        after, _ = token_nll(bench.network, changed, chunked)
    moved = (before - after).abs()
    assert float(moved[owner == first].max()) > 1e-2
    assert float(moved[owner != first].max()) < 1e-6


def test_no_row_predicts_the_first_token_of_the_next(llama: Path) -> None:
    bench = make_bench(llama, Task.ADAPT)
    batch = _packed(bench)
    assert batch.learn is not None
    forced = replace(batch, learn=torch.ones_like(batch.learn) * (batch.segments >= 0))
    _, owner = token_nll(bench.network, forced)
    lengths = bench.encoded.lengths[:8]
    assert np.array_equal(np.bincount(owner.numpy(), minlength=8), lengths - 1)


def test_padding_is_not_counted_as_tokens(llama: Path) -> None:
    bench = make_bench(llama, Task.INSTRUCT)
    real = int(bench.encoded.lengths[:8].sum())
    assert bench.batches(pack_tokens=96).logical(bench.all[:8]).tokens == real
    assert bench.batches().logical(bench.all[:8]).tokens == real
