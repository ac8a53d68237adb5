"""Started by torchrun in test_private_processes.py: trains privately and saves what it learnt."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch.distributed as dist
from safetensors.torch import save_file

from luthier.core.types import Task
from luthier.data.feed.batches import EpochBatches
from luthier.data.feed.poisson import PoissonBatches
from luthier.train.fit import fit
from luthier.train.gradients.private import PrivateGradient
from luthier.train.private.audit import Canaries
from luthier.train.private.chance import Chance
from luthier.train.private.mechanism import Mechanism
from luthier.train.state import Budget
from luthier.train.world import World
from tiny import make_bench


def known(step: int) -> bytes:
    """Keys that are no secret."""
    return hashlib.sha256(b"processes %d" % step).digest()


def main(folder: str, out: str) -> None:
    """Five private updates, shared by all processes."""
    world = World.join()
    bench = make_bench(Path(folder), Task.CLASSIFY)
    step, state = bench.begin(kind="sgd", rate=0.05)
    chance, mechanism = Chance(world, known), Mechanism(0.7, 8.0)
    share = (world.rank, world.size)
    source = EpochBatches(bench.encoded, bench.all, bench.plan)
    batches = PoissonBatches(source, bench.all, bench.all, chance.draw, share)
    rule = PrivateGradient(
        mechanism, chance.noise, lambda: None, canaries=Canaries(mechanism), world=world
    )
    fit(state, step.but(gradient=rule), batches, Budget(5))
    assert rule.canaries is not None
    if world.first:
        rule.canaries.verdict().demand()
    save_file(state.snapshot(), str(Path(out) / f"rank{world.rank}of{world.size}.safetensors"))
    if world.size > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
