"""CPU time and memory of a private step beside the plain one, in a process of its own.

    python bench/privacy/cost.py KIND ROWS TOKENS PASSES REPETITIONS RULE

KIND is lora-qv, lora-all or full; TOKENS 0 takes the lengths of Banking77. RULE is both, plain or
private. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from luthier.core.types import Task
from luthier.data.feed.batch import Batch, LogicalBatch
from luthier.data.feed.labels import LabelSet
from luthier.models.adapters.full import FullParameters
from luthier.models.adapters.lora import LowRank
from luthier.models.base import BaseSpec, load_base
from luthier.models.build import HeadFacts, assemble, build_head
from luthier.models.places import locate
from luthier.recipe.train import Train
from luthier.train.gradients.plain import PlainGradient
from luthier.train.gradients.private import PrivateGradient
from luthier.train.private.audit import Canaries
from luthier.train.private.chance import Chance
from luthier.train.private.mechanism import Mechanism

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = Path(os.environ.get("LUTHIER_DATA", ROOT.parent / "shared" / "data"))
ADAPTERS = {
    "lora-qv": LowRank(8, 16.0, targets=("query", "value")),
    "lora-all": LowRank(16, 32.0),
    "full": FullParameters(),
}


def lengths(rows: int, tokens: int, passes: int) -> np.ndarray:
    """Lengths (passes, rows), similar ones together."""
    if tokens:
        return np.full((passes, rows), tokens)
    with (DATA / "banking77" / "train.jsonl").open(encoding="utf-8") as file:
        known = [len(json.loads(line)["text"].split()) + 4 for line in file]
    drawn = np.random.default_rng(0).choice(known, rows * passes)
    return np.sort(drawn).reshape(passes, rows)


def batch_of(sizes: np.ndarray) -> LogicalBatch:
    """Random tokens of these lengths."""
    random = np.random.default_rng(1)
    micro = []
    for mine in sizes:
        ids = random.integers(1000, 30000, (len(mine), int(mine.max())))
        mask = (np.arange(ids.shape[1]) < mine[:, None]).astype(np.int64)
        micro.append(
            Batch(
                torch.from_numpy(ids * mask),
                torch.from_numpy(mask),
                torch.arange(len(mine)),
                torch.ones(len(mine)),
                torch.from_numpy(random.integers(0, 77, len(mine))),
            )
        )
    return LogicalBatch(tuple(micro), float(sizes.size))


def main(kind: str, rows: int, tokens: int, passes: int, repetitions: int, which: str) -> None:
    """Measures the rules in turn."""
    torch.set_num_threads(1)
    base = load_base(BaseSpec(locate("embedded:encoder")), Task.CLASSIFY)
    labels = LabelSet(tuple(f"c{i}" for i in range(77)))
    head = build_head(Task.CLASSIFY, HeadFacts(labels), Train())
    network = assemble(base, ADAPTERS[kind], head, 0)
    network.mode(True, False)
    batch = batch_of(lengths(rows, tokens, passes))
    chance, mechanism = Chance(), Mechanism(0.8, float(rows * passes))

    def noise() -> np.random.Generator:
        chance.draw(0)
        return chance.noise()

    private = PrivateGradient(mechanism, noise, lambda: None, canaries=Canaries(mechanism))
    rules = {"plain": PlainGradient(), "private": private}
    rules = {n: r for n, r in rules.items() if which in (n, "both")}
    spent: dict[str, list[float]] = {name: [] for name in rules}
    for number in range(repetitions + 1):
        for name, rule in rules.items():
            started = time.process_time()
            rule(head.losses, network, batch)
            if number:
                spent[name].append(time.process_time() - started)
    told = {name: statistics.median(times) for name, times in spent.items()}
    told["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    if which == "both":
        pairs = zip(spent["private"], spent["plain"], strict=True)
        ratios = sorted(mine / plain for mine, plain in pairs)
        told |= {"ratio": statistics.median(ratios), "low": ratios[0], "high": ratios[-1]}
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:6]), sys.argv[6])
