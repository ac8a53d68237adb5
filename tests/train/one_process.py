"""Started by torchrun in test_processes.py: trains a tiny model and saves what it learnt."""

from __future__ import annotations

import sys
from pathlib import Path

import torch.distributed as dist
from safetensors.torch import save_file

from luthier.core.types import Task
from luthier.data.feed.batches import EpochBatches
from luthier.train.fit import fit
from luthier.train.gradients.plain import PlainGradient
from luthier.train.state import Budget
from luthier.train.step import Step
from luthier.train.world import World
from tiny import make_bench


def main(folder: str, task: str, out: str) -> None:
    """Five updates of batches of eight rows, shared by all processes."""
    world = World.join()
    bench = make_bench(Path(folder), Task(task))
    step, state = bench.begin(kind="sgd", rate=0.05)
    share = (world.rank, world.size)
    batches = EpochBatches(bench.encoded, bench.all, bench.plan, share=share)
    fit(state, Step(step.objective, PlainGradient(world=world), step.update), batches, Budget(5))
    save_file(state.snapshot(), str(Path(out) / f"rank{world.rank}.safetensors"))
    if world.size > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
