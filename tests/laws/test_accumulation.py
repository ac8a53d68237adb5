"""Cutting a logical batch into forward passes changes nothing but rounding."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier.core.types import Task
from luthier.models.network import Network
from luthier.train.fit import fit
from luthier.train.state import Budget
from luthier.train.step import Gradient
from tiny import furthest, losses_of, make_bench

CASES = [
    (Task.CLASSIFY, "bert"),
    (Task.TAG, "bert"),
    (Task.INSTRUCT, "llama"),
    (Task.PREFER, "llama"),
    (Task.ADAPT, "masked_bert"),
]


@pytest.mark.parametrize(("task", "model"), CASES)
def test_one_times_eight_is_eight_times_one(
    task: Task, model: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(model)
    ends, curves = [], []
    for micro in (8, 1, 3):
        bench = make_bench(folder, task)
        assert len(set(bench.encoded.lengths)) > 5, "rows of equal length would prove nothing"
        reference = bench.reference() if task is Task.PREFER else None
        batches = bench.batches(reference=reference, micro_rows=micro)
        assert len(batches.at(0).micro) == -(-8 // micro)
        state = bench.train(5, batches, kind="sgd", rate=0.05)
        ends.append(state.snapshot())
        curves.append(losses_of(state))
    assert furthest(ends[0], ends[1]) < 1e-6
    assert furthest(ends[0], ends[2]) < 1e-6
    assert curves[0] == pytest.approx(curves[1], abs=1e-5)


def test_adamw_agrees_too(llama: Path) -> None:
    ends = []
    for micro in (8, 1):
        bench = make_bench(llama, Task.INSTRUCT)
        ends.append(bench.train(5, bench.batches(micro_rows=micro), rate=1e-3).snapshot())
    assert furthest(*ends) < 1e-6


class _MeanOfMeans:
    """What frameworks did wrong: every micro-batch counts the same, whatever it holds."""

    def __call__(self, objective, network: Network, batch, /) -> Gradient:
        for parameter in network.parameters():
            parameter.grad = None
        total = 0.0
        for micro in batch:
            losses = objective(network, micro)
            part = losses.total / losses.weights.sum() / len(batch.micro)
            part.backward()
            total += float(part.detach())
        return Gradient(total, batch.size, batch.tokens)


def test_a_mean_of_means_would_be_noticed(llama: Path) -> None:
    right = make_bench(llama, Task.INSTRUCT)
    wrong = make_bench(llama, Task.INSTRUCT)
    good = right.train(5, right.batches(micro_rows=1), kind="sgd", rate=0.05).snapshot()
    step, state = wrong.begin(kind="sgd", rate=0.05)
    fit(state, step.but(gradient=_MeanOfMeans()), wrong.batches(micro_rows=1), Budget(5))
    assert furthest(good, state.snapshot()) > 1e-4
