"""Parameters held in parts by two processes learn what one process learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from launch import torchrun
from safetensors.torch import load_file
from sharded_process import CASES, STEPS, bench_of

from luthier.data.feed.batches import EpochBatches
from tiny import furthest, same_bits

SCRIPT = str(Path(__file__).with_name("sharded_process.py"))


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "cases"), [("sgd", tuple(CASES)), ("adamw", ("classify",))])
def test_two_halves_equal_one_whole(
    optimizer: str, cases: tuple[str, ...], bert: Path, llama: Path, tmp_path: Path
) -> None:
    done = torchrun([SCRIPT, str(bert), str(llama), str(tmp_path), optimizer, *cases])
    assert done.returncode == 0, done.stderr[-5000:]
    held = [json.loads((tmp_path / f"held.{rank}.json").read_text()) for rank in (0, 1)]
    for case in cases:
        first, second = (load_file(str(tmp_path / f"{case}.{rank}.safetensors")) for rank in (0, 1))
        assert same_bits(first, second), case
        bench = bench_of(case, str(bert), str(llama))
        _, _, plan, descent = CASES[case]
        batches = EpochBatches(bench.encoded, bench.all, replace(bench.plan, **plan))
        rate = 0.05 if optimizer == "sgd" else 0.01
        before = bench.begin()[1].snapshot()
        alone = bench.train(STEPS, batches, kind=optimizer, rate=rate, **descent).snapshot()
        print(case, furthest(alone, first), furthest(before, first))
        assert furthest(alone, first) < 1e-6, case
        assert furthest(before, first) > 1e-4, case
        parts = [h[case][0] for h in held]
        total = held[0][case][1]
        assert sum(parts) == total
        assert max(parts) < 0.51 * total, case
