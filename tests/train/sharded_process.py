"""Started by torchrun in test_sharded.py: trains tiny models held in parts by all processes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.distributed as dist
from safetensors.torch import save_file

from luthier.core.types import Task
from luthier.data.feed.batches import EpochBatches
from luthier.models.adapter import Adapter
from luthier.models.adapters.full import FullParameters
from luthier.models.adapters.ia3 import Ia3Scales
from luthier.models.adapters.lora import LowRank
from luthier.train.fit import fit
from luthier.train.gradients.sharded import ShardedGradient
from luthier.train.sharded import own, shard
from luthier.train.state import Budget, TrainingState
from luthier.train.step import Step
from luthier.train.world import World
from tiny import Bench, make_bench

STEPS = 5
RULE: dict[str, Any] = {"kind": "sgd", "rate": 0.05}
# Rows are of unequal length; seven rows a batch leave the last batch of the epoch with three.
CASES: dict[str, tuple[Task, Adapter, dict[str, Any], dict[str, Any]]] = {
    "classify": (Task.CLASSIFY, LowRank(4), {"micro_rows": 3}, {}),
    "classify full": (Task.CLASSIFY, FullParameters(), {"batch_size": 7}, {"clip_norm": 0.05}),
    "classify one row": (Task.CLASSIFY, LowRank(4), {"batch_size": 23, "micro_rows": 5}, {}),
    "classify top": (Task.CLASSIFY, FullParameters(top_layers=1), {}, {}),
    "instruct": (Task.INSTRUCT, LowRank(4), {"micro_rows": 2}, {"clip_norm": 0.05}),
    "instruct whole logits": (Task.INSTRUCT, LowRank(4, decomposed=True), {}, {}),
    "instruct full": (Task.INSTRUCT, FullParameters(), {}, {"clip_norm": 0.05}),
    "instruct packed": (Task.INSTRUCT, Ia3Scales(), {"pack_tokens": 96}, {}),
    "adamw state": (Task.CLASSIFY, LowRank(4), {}, {"kind": "adamw", "rate": 0.01}),
    "momentum state": (Task.INSTRUCT, FullParameters(), {}, {"kind": "sgd", "rate": 0.05}),
    "lion": (Task.CLASSIFY, LowRank(4), {}, {"kind": "lion", "rate": 1e-3}),
    "tag": (Task.TAG, LowRank(4, top_layers=2), {}, {}),
}


def bench_of(case: str, bert: str, llama: str) -> Bench:
    """The bench of a case, the same in every process."""
    task, adapter, _, _ = CASES[case]
    folder = Path(llama if task.generates else bert)
    return make_bench(folder, task, adapter, chunked="whole" not in case)


def train(case: str, bench: Bench, world: World) -> TrainingState:
    """Five updates shared by all processes."""
    _, _, plan, descent = CASES[case]
    shard(bench.network, world)
    step, state = bench.begin(**(RULE | descent))
    state.world = world
    share = (world.rank, world.size)
    shared = EpochBatches(bench.encoded, bench.all, replace(bench.plan, **plan), share=share)
    fit(state, Step(step.objective, ShardedGradient(world), step.update), shared, Budget(STEPS))
    return state


def _carry_over(case: str, bench: Bench, state: TrainingState, out: Path) -> None:
    """A saved state, taken over by another network held in parts and saved again."""
    state.save(out / case, "contract")
    shard(bench.network, state.world)
    _, again = bench.begin(kind=CASES[case][3]["kind"])
    again.world = state.world
    again.load(out / case, "contract")
    again.save(out / f"{case} again", "contract")


def main(bert: str, llama: str, out: str) -> None:
    """Trains every case and saves what it learnt and how much each process held."""
    world = World.join()
    held: dict[str, list[int]] = {}
    for case in CASES:
        bench = bench_of(case, bert, llama)
        state = train(case, bench, world)
        parameters = list(bench.network.parameters())
        held[case] = [
            sum(own(p).numel() * p.element_size() for p in parameters),
            sum(p.numel() * p.element_size() for p in parameters),
        ]
        save_file(state.snapshot(), str(Path(out) / f"{case}.{world.rank}.safetensors"))
        if case.endswith("state"):
            _carry_over(case, bench_of(case, bert, llama), state, Path(out))
    (Path(out) / f"held.{world.rank}.json").write_text(json.dumps(held))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
