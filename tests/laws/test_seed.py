"""The same seed gives the same bits, and every hyper-parameter matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from luthier.core.types import Task
from luthier.models.adapters.lora import LowRank
from luthier.train.fit import fit
from luthier.train.schedule import RateSchedule
from luthier.train.state import Budget, TrainingState
from luthier.train.watcher import Report, Stop
from tiny import furthest, make_bench, same_bits


def _weights(
    folder: Path,
    seed: int = 0,
    rank: int = 4,
    alpha: float = 8.0,
    dropout: float = 0.2,
    batch_size: int = 8,
    **descent: Any,
) -> dict[str, Tensor]:
    bench = make_bench(folder, Task.CLASSIFY, LowRank(rank, alpha, dropout), seed=seed)
    batches = bench.batches(batch_size=batch_size)
    return bench.train(4, batches, **descent).snapshot()


def test_the_same_seed(bert: Path) -> None:
    one = _weights(bert)
    torch.manual_seed(99)
    torch.rand(7)
    assert same_bits(one, _weights(bert))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"alpha": 4.0},
        {"dropout": 0.0},
        {"batch_size": 6},
        {"rate": 5e-3},
        {"weight_decay": 0.5},
        {"betas": (0.5, 0.9)},
        {"clip_norm": 0.01, "kind": "sgd"},
        {"head_rate": 3.0},
        {"schedule": RateSchedule(20, warmup=0.5)},
        {"kind": "lion"},
    ],
    ids=str,
)
def test_a_changed_setting_changes_the_weights(change: dict[str, Any], bert: Path) -> None:
    assert furthest(_weights(bert), _weights(bert, **change)) > 1e-6


def test_a_changed_rank_changes_the_shapes(bert: Path) -> None:
    four, eight = _weights(bert), _weights(bert, rank=8)
    shapes = [{tuple(t.shape) for n, t in w.items() if "lora_A" in n} for w in (four, eight)]
    assert shapes == [{(4, 32), (4, 48)}, {(8, 32), (8, 48)}]


class _StopAfter:
    """Ends training after some updates."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def begin(self, state: TrainingState) -> None:
        """Nothing."""

    def after(self, state: TrainingState, report: Report) -> Stop | None:
        """The wish to stop."""
        return Stop("enough") if state.step == self.steps else None

    def end(self, state: TrainingState) -> None:
        """Nothing."""


def test_an_endless_budget_equals_exact_steps(bert: Path) -> None:
    exact, endless = make_bench(bert, Task.CLASSIFY), make_bench(bert, Task.CLASSIFY)
    wanted = exact.train(6, exact.batches())
    step, state = endless.begin()
    fit(state, step, endless.batches(), Budget(), [_StopAfter(6)])
    assert same_bits(state.snapshot(), wanted.snapshot())
    assert (state.step, state.stopped) == (6, "enough")


def test_a_budget_cut_into_slices_equals_one(bert: Path) -> None:
    whole, sliced = make_bench(bert, Task.CLASSIFY), make_bench(bert, Task.CLASSIFY)
    wanted = whole.train(6, whole.batches())
    step, state = sliced.begin()
    for steps in (1, 3, 6):
        fit(state, step, sliced.batches(), Budget(steps))
    assert same_bits(state.snapshot(), wanted.snapshot())


def test_a_budget_of_seconds_ends(bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    step, state = bench.begin()
    fit(state, step, bench.batches(), Budget(seconds=0.05))
    assert state.seconds >= 0.05 and state.step >= 1
    before = state.step
    fit(state, step, bench.batches(), Budget(seconds=0.05))
    assert state.step == before
