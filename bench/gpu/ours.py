"""Our side of the GPU measurement: the real engine, rows packed into 4096 tokens, bfloat16."""

from __future__ import annotations

import numpy as np
import shape as shapes
import torch
from gate import Gate
from transformers import LlamaConfig, LlamaForCausalLM

from luthier.core.types import Task
from luthier.data.feed.batch import LogicalBatch
from luthier.data.feed.batches import BatchPlan, EpochBatches
from luthier.data.feed.encode import Encoded
from luthier.data.feed.ragged import Ragged
from luthier.models.adapters.lora import LowRank
from luthier.models.base import Base, BaseSpec
from luthier.models.build import assemble
from luthier.models.heads.language import LanguageHead
from luthier.train.fit import fit
from luthier.train.gradients.plain import PlainGradient
from luthier.train.schedule import RateSchedule
from luthier.train.state import Budget, TrainingState
from luthier.train.step import Step
from luthier.train.updates.rules import Descent
from luthier.train.watcher import Report


class AtGate:
    """Keeps training inside windows and waits for the device at their ends."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def begin(self, state: TrainingState) -> None:
        """Waits for the first window."""
        self._gate.wait()

    def after(self, state: TrainingState, report: Report) -> None:
        """One update is done."""
        self._gate.count(report.gradient.examples, report.gradient.tokens, 0)
        if self._gate.left == 1 and torch.cuda.is_available():
            torch.cuda.synchronize()
        self._gate.updated()

    def end(self, state: TrainingState) -> None:
        """Nothing to tidy."""


class OneWindow:
    """Batches of whole rows that fill one sequence of 4096 tokens, first come, first served."""

    def __init__(self, source: EpochBatches, lengths: np.ndarray) -> None:
        self._source, self._groups, room = source, [[]], shapes.WINDOW
        for number, length in enumerate(lengths):
            if length > room:
                self._groups.append([])
                room = shapes.WINDOW
            self._groups[-1].append(number)
            room -= int(length)
        self.steps_per_epoch = len(self._groups)

    def at(self, step: int) -> LogicalBatch:
        """The batch of update `step`."""
        return self._source.logical(np.asarray(self._groups[step % len(self._groups)]))


def main() -> None:
    """Trains until there is no further window."""
    gate = Gate()
    device = gate.given["device"]
    chosen = shapes.SHAPE if gate.given["whole"] else shapes.SMALL
    config = LlamaConfig(**chosen)
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        network = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    network.requires_grad_(False)
    spec = BaseSpec("random", precision="bfloat16", device=device)
    base = Base(spec, network, None, config, "causal", "")
    head = LanguageHead(Task.INSTRUCT, chunked=True)
    trained = assemble(base, LowRank(rank=16, alpha=32.0), head, seed=0).to(device)
    texts = [np.asarray(r) for r in shapes.rows(chosen["vocab_size"])]
    lengths = np.asarray([len(t) for t in texts])
    encoded = Encoded(
        Task.INSTRUCT,
        Ragged.pack(iter(texts), "int32"),
        np.arange(len(texts)),
        lengths.astype(np.float32),
        learn=Ragged.pack((np.ones(n) for n in lengths), "uint8"),
    )
    plan = BatchPlan(32, 0, 0, pack_tokens=shapes.WINDOW)
    batches = OneWindow(EpochBatches(encoded, np.arange(len(texts)), plan), lengths)
    update = Descent(1e-4, RateSchedule(10**6, "constant", 0.0))
    step = Step(head.losses, PlainGradient(device), update)
    state = TrainingState.begin(trained, update, 0, False)
    fit(state, step, batches, Budget(), [AtGate(gate)])


if __name__ == "__main__":
    main()
