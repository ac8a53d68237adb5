"""Stop anywhere and resume: weights, optimiser and curve are equal to the bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from luthier.core.types import Task
from luthier.models.adapters.lora import LowRank
from luthier.train.fit import fit
from luthier.train.state import Budget, TrainingState
from luthier.train.watcher import Report
from luthier.train.watchers.checkpoint import INTERRUPTED, KeepState
from luthier.train.watchers.validate import KeepBest
from tiny import Bench, make_bench, same_bits

STEPS = 7
KINDS = ("adamw", "sgd", "adafactor", "lion")


def _bench(folder: Path, task: Task = Task.CLASSIFY) -> Bench:
    return make_bench(folder, task, LowRank(rank=4, alpha=8.0, dropout=0.3), seed=5)


def _optimizer(state: TrainingState) -> list[Any]:
    entries = state.optimizer.state_dict()["state"]
    return [entries[i][n] for i in sorted(entries) for n in sorted(entries[i])]


def _equal(one: TrainingState, other: TrainingState) -> None:
    assert same_bits(one.snapshot(), other.snapshot())
    mine, theirs = _optimizer(one), _optimizer(other)
    assert len(mine) == len(theirs) > 0
    for a, b in zip(mine, theirs, strict=True):
        assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))
    assert one.curve == other.curve
    assert (one.step, one.tokens, one.seed) == (other.step, other.tokens, other.seed)


@pytest.mark.parametrize("kind", KINDS)
def test_every_optimiser_at_every_place(kind: str, bert: Path, tmp_path: Path) -> None:
    whole = _bench(bert)
    unbroken = whole.train(STEPS, whole.batches(), kind=kind, rate=1e-3)
    for place in (1, 4) if kind == "adamw" else (3,):
        first = _bench(bert)
        half = first.train(place, first.batches(), kind=kind, rate=1e-3)
        half.save(tmp_path / "state", "contract")
        again = _bench(bert)
        step, state = again.begin(kind=kind, rate=1e-3)
        state.load(tmp_path / "state", "contract")
        assert state.step == place
        fit(state, step, again.batches(), Budget(STEPS))
        _equal(state, unbroken)


def test_language(llama: Path, tmp_path: Path) -> None:
    whole = _bench(llama, Task.INSTRUCT)
    unbroken = whole.train(STEPS, whole.batches(pack_tokens=96))
    first = _bench(llama, Task.INSTRUCT)
    first.train(4, first.batches(pack_tokens=96), [KeepState(tmp_path / "state")])
    again = _bench(llama, Task.INSTRUCT)
    step, state = again.begin()
    state.load(tmp_path / "state")
    fit(state, step, again.batches(pack_tokens=96), Budget(STEPS))
    _equal(state, unbroken)


class _Interrupt:
    """Sends a signal to this process after update `at`, as Ctrl-C would."""

    def __init__(self, at: int, number: int) -> None:
        self.at, self.number = at, number

    def begin(self, state: TrainingState) -> None:
        """Nothing."""

    def after(self, state: TrainingState, report: Report) -> None:
        """The signal."""
        if state.step == self.at:
            os.kill(os.getpid(), self.number)

    def end(self, state: TrainingState) -> None:
        """Nothing."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(number: int, bert: Path, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    whole = _bench(bert)
    unbroken = whole.train(STEPS, whole.batches())
    first = _bench(bert)
    watchers = [_Interrupt(3, number), KeepState(tmp_path / "state")]
    state = first.train(STEPS, first.batches(), watchers)
    assert (state.step, state.stopped) == (3, INTERRUPTED)
    assert signal.getsignal(number) is before
    again = _bench(bert)
    step, state = again.begin()
    state.load(tmp_path / "state")
    fit(state, step, again.batches(), Budget(STEPS))
    _equal(state, unbroken)


@pytest.mark.parametrize("falling", [None, "loss"])
def test_validation_and_patience_go_on_as_they_stood(
    falling: str | None, bert: Path, tmp_path: Path
) -> None:
    values = [0.1, 0.5, 0.4, 0.6, 0.3, 0.2, 0.1, 0.0, 0.0]
    # By the loss alone the last progress is one validation earlier than by the score.
    losses = [9.0, 8.0, 7.0, 7.0, 7.5, 8.0, 9.0, 9.0, 9.0]

    def keeper(folder: Path, taken: list[float]) -> KeepBest:
        def measure(network: object) -> dict[str, float]:
            return {"f": taken.pop(0), "loss": losses[len(values) - 1 - len(taken)]}

        return KeepBest(measure, "f", "higher", 1, folder, patience=3, falling=falling)

    whole = _bench(bert)
    best = keeper(tmp_path / "a", list(values))
    unbroken = whole.train(20, whole.batches(), [best])
    assert (unbroken.step, best.best_step, best.best) == (6, 3, 0.6)
    for place in (2, 5):
        taken = list(values)
        first = _bench(bert)
        keep = KeepState(tmp_path / f"state{place}")
        first.train(place, first.batches(), [keeper(tmp_path / f"b{place}", taken), keep])
        again = _bench(bert)
        step, state = again.begin()
        state.load(tmp_path / f"state{place}")
        last = keeper(tmp_path / f"b{place}", taken)
        fit(state, step, again.batches(), Budget(20), [last])
        _equal(state, unbroken)
        assert (last.best_step, last.best, state.stopped) == (3, 0.6, unbroken.stopped)
        last.restore(state)
    best.restore(unbroken)
    assert same_bits(state.snapshot(), unbroken.snapshot())
