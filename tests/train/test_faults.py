"""Training that goes wrong says so, and leaves behind what was right."""

from __future__ import annotations

import errno
import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from luthier.core.errors import (
    CheckRun,
    FixModel,
    FixRecipe,
    FreeDisk,
    LowerLearningRate,
    NothingLearned,
)
from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.models.adapters.lora import LowRank
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.train import state as state_module
from luthier.train.fit import fit
from luthier.train.state import Budget, TrainingState
from luthier.train.watcher import Report
from luthier.train.watchers.checkpoint import KeepState
from luthier.train.watchers.validate import KeepBest, MustMove
from tiny import Bench, make_bench, same_bits


@pytest.fixture
def bench(bert: Path) -> Bench:
    """A bench for classification."""
    return make_bench(bert, Task.CLASSIFY, LowRank(rank=4))


class _BadAt:
    """An objective that fails at one call."""

    def __init__(self, bench: Bench, call: int, how: str) -> None:
        self.bench, self.call, self.how, self.calls = bench, call, how, 0

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        losses = self.bench.head.losses(network, batch)
        self.calls += 1
        if self.calls != self.call:
            return losses
        if self.how == "gradient":
            # Zero times the root's infinite slope at zero: the loss is finite, its slope is not.
            per = losses.per_example
            return replace(losses, per_example=per + torch.sqrt(per - per) * 1.0)
        return replace(losses, per_example=losses.per_example * float(self.how))


@pytest.mark.parametrize("how", ["nan", "inf", "gradient"])
def test_what_is_not_finite_stops_before_anything_moves(
    how: str, bench: Bench, tmp_path: Path
) -> None:
    step, state = bench.begin()
    seen: list[dict[str, torch.Tensor]] = []

    class Remember:
        def begin(self, state: TrainingState) -> None: ...

        def after(self, state: TrainingState, report: Report) -> None:
            seen.append(state.snapshot())

        def end(self, state: TrainingState) -> None: ...

    step = step.but(objective=_BadAt(bench, 4, how))
    keep = KeepState(tmp_path / "state")
    with pytest.raises(LowerLearningRate, match=r"update 4: .*(nan|inf|not finite)") as caught:
        fit(state, step, bench.batches(), Budget(9), [Remember(), keep])
    assert caught.value.exit_code == 9 and "learning_rate" in caught.value.advice
    assert (len(seen), state.step) == (3, 3)
    assert same_bits(state.snapshot(), seen[-1])
    _, again = bench.begin()
    again.load(tmp_path / "state")
    assert same_bits(again.snapshot(), seen[-1])


def test_parameters_that_never_move(bench: Bench) -> None:
    with pytest.raises(NothingLearned, match="no trained parameter has moved"):
        bench.train(30, bench.batches(), [MustMove()], rate=0.0)
    with pytest.raises(NothingLearned):
        bench.train(4, bench.batches(), [MustMove()], rate=0.0)


def test_every_watcher_ends_whatever_another_raises(bench: Bench, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(NothingLearned):
        watchers = [MustMove(), KeepState(tmp_path / "state")]
        bench.train(4, bench.batches(), watchers, rate=0.0)
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / "state" / "state.json").is_file()


def test_parameters_that_move_pass(bench: Bench) -> None:
    assert bench.train(22, bench.batches(), [MustMove()]).step == 22


def test_a_cut_off_adapter_is_noticed(bench: Bench) -> None:
    step, state = bench.begin(weight_decay=0.0)

    def detached(network: Network, batch: Batch, /) -> Losses:
        losses = bench.head.losses(network, batch)
        zero = sum((p * 0.0).sum() for p in state.trainable.values())
        return replace(losses, per_example=losses.per_example.detach() + zero)

    with pytest.raises(NothingLearned):
        fit(state, step.but(objective=detached), bench.batches(), Budget(25), [MustMove()])


def _full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_earlier_state(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "state"
    state = bench.train(2, bench.batches())
    state.save(folder, "c")
    earlier = state.snapshot()
    step, _ = bench.begin()
    fit(state, step, bench.batches(), Budget(4))
    with monkeypatch.context() as patched:
        patched.setattr(state_module, "save_file", _full)
        with pytest.raises(FreeDisk, match="the disk is full") as caught:
            state.save(folder, "c")
    assert caught.value.exit_code == 7 and str(folder) in str(caught.value)
    _, again = bench.begin()
    again.load(folder, "c")
    assert again.step == 2 and same_bits(again.snapshot(), earlier)
    assert [p.name for p in tmp_path.iterdir()] == ["state"], "nothing half-written is left"


def test_a_full_disk_while_keeping_the_best(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from luthier.train.watchers import validate

    values = iter([0.1, 0.2, 0.3])
    keeper = KeepBest(lambda network: {"f": next(values)}, "f", "higher", 1, tmp_path / "best")
    _, state = bench.begin()
    keeper.begin(state)
    monkeypatch.setattr(validate, "save_file", _full)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(FreeDisk):
        bench.train(2, bench.batches(), [keeper, KeepState(tmp_path / "state")])
    assert signal.getsignal(signal.SIGINT) is before
    assert json.loads((tmp_path / "best" / "best.json").read_text())["value"] == 0.1


def test_a_metric_asked_for_but_absent_is_never_replaced(bench: Bench, tmp_path: Path) -> None:
    keeper = KeepBest(lambda network: {"accuracy": 0.5}, "macro_f1", "higher", 1, tmp_path / "best")
    with pytest.raises(FixRecipe, match=r"'macro_f1'.*accuracy"):
        bench.train(2, bench.batches(), [keeper])
    assert keeper.best is None and not (tmp_path / "best").exists()


NAN = float("nan")


@pytest.mark.parametrize(
    ("direction", "place", "values"),
    [
        ("higher", 0, [0.9, 0.6, 0.9, NAN, 0.1, 0.4, 0.5]),
        ("higher", 2, [0.5, 0.6, 0.9, NAN, 0.1, 0.4, 0.5]),
        ("lower", 4, [0.5, 0.6, 0.9, NAN, 0.1, 0.4, 0.5]),
        ("higher", 3, [NAN, -0.2, -0.1, 0.0, NAN, -0.1, 0.0]),
        ("lower", 5, [NAN, NAN, 0.0, 0.1, NAN, -0.1, 0.0]),
    ],
)
def test_the_best_is_kept_and_put_back(
    direction: Any, place: int, values: list[float], bench: Bench, tmp_path: Path
) -> None:
    given = iter(values)
    keeper = KeepBest(lambda network: {"f": next(given)}, "f", direction, 1, tmp_path / "best")
    seen: list[dict[str, torch.Tensor]] = []

    class Remember:
        def begin(self, state: TrainingState) -> None:
            seen.append(state.snapshot())

        def after(self, state: TrainingState, report: Report) -> None:
            seen.append(state.snapshot())

        def end(self, state: TrainingState) -> None: ...

    state = bench.train(6, bench.batches(), [Remember(), keeper])
    assert (keeper.best_step, keeper.best) == (place, values[place])
    keeper.restore(state)
    assert same_bits(state.snapshot(), seen[place])
    assert not same_bits(state.snapshot(), seen[-1])


def test_patience(bench: Bench, tmp_path: Path) -> None:
    given = iter([0.5, 0.6, 0.6, 0.2])
    keeper = KeepBest(
        lambda network: {"f": next(given)}, "f", "higher", 2, tmp_path / "best", patience=2
    )
    state = bench.train(40, bench.batches(), [keeper])
    assert state.step == 6 and "no better f in 2 validations" in state.stopped


@pytest.mark.parametrize("afresh, end", [(False, 2), (True, 6)])
def test_patience_counts_what_training_starts_from_unless_afresh(
    afresh: bool, end: int, bench: Bench, tmp_path: Path
) -> None:
    given = iter([0.9, 0.5, 0.6, 0.6, 0.7, NAN, 0.7, 0.8])
    keeper = KeepBest(
        lambda network: {"f": next(given)}, "f", "higher", 1, tmp_path / "best", patience=2,
        afresh=afresh,
    )  # fmt: skip
    state = bench.train(40, bench.batches(), [keeper])
    assert (state.step, keeper.best_step, keeper.best) == (end, 0, 0.9)


def test_patience_waits_while_the_loss_falls(bench: Bench, tmp_path: Path) -> None:
    given = iter([(0.1, 3.0), (0.0, 2.0), (0.0, 1.0), (0.0, 1.5), (0.0, 0.9), (0.0, 1.0)] * 2)

    def measure(network: object) -> dict[str, float]:
        score, loss = next(given)
        return {"f": score, "loss": loss}

    keeper = KeepBest(
        measure, "f", "higher", 1, tmp_path / "best", patience=2, falling="loss"
    )  # fmt: skip
    state = bench.train(40, bench.batches(), [keeper])
    # The start counts, then two validations in a row with neither a better score nor a lower loss.
    assert (state.step, keeper.best_step) == (6, 0)


def test_a_state_of_another_run(bench: Bench, bert: Path, tmp_path: Path) -> None:
    bench.train(1, bench.batches()).save(tmp_path / "state", "this run")
    _, state = bench.begin()
    before = state.snapshot()
    with pytest.raises(CheckRun, match="other data, another model or another version"):
        state.load(tmp_path / "state", "another run")
    assert same_bits(state.snapshot(), before) and state.step == 0


@pytest.mark.parametrize(
    "adapter", [LowRank(rank=4, top_layers=1), LowRank(rank=8), LowRank(rank=1)], ids=str
)
def test_a_state_of_other_parameters(
    adapter: LowRank, bench: Bench, bert: Path, tmp_path: Path
) -> None:
    other = make_bench(bert, Task.CLASSIFY, adapter)
    other.train(1, other.batches()).save(tmp_path / "state")
    _, state = bench.begin()
    before = state.snapshot()
    with pytest.raises(CheckRun, match="other parameters"):
        state.load(tmp_path / "state")
    assert same_bits(state.snapshot(), before)


def test_no_state_and_damaged_states(bench: Bench, tmp_path: Path) -> None:
    _, state = bench.begin()
    with pytest.raises(CheckRun, match="there is no saved state"):
        state.load(tmp_path / "state")
    bench.train(1, bench.batches()).save(tmp_path / "state")
    file = tmp_path / "state" / "state.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    with pytest.raises(FixModel, match=r"state\.safetensors"):
        state.load(tmp_path / "state")
    file.write_bytes(content)
    for damage in ("", "{", "[]", '{"format": 1}'):
        (tmp_path / "state" / "state.json").write_text(damage)
        with pytest.raises(CheckRun, match=r"state\.json|another version"):
            state.load(tmp_path / "state")


def test_a_state_of_another_format(bench: Bench, tmp_path: Path) -> None:
    bench.train(1, bench.batches()).save(tmp_path / "state")
    file = tmp_path / "state" / "state.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 99}))
    with pytest.raises(CheckRun, match="another version"):
        bench.begin()[1].load(tmp_path / "state")


def test_a_state_holds_no_pickle(bench: Bench, tmp_path: Path) -> None:
    bench.train(2, bench.batches()).save(tmp_path / "state")
    names = sorted(p.name for p in (tmp_path / "state").iterdir())
    assert names == ["state.json", "state.safetensors"]
    tensors = load_file(tmp_path / "state" / "state.safetensors")
    save_file(tensors, tmp_path / "copy.safetensors")
    assert any(n.startswith("optimizer/") for n in tensors)
