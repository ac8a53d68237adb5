"""Parameters held in parts by two processes learn what one process learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from launch import torchrun
from safetensors.torch import load_file
from sharded_process import CASES, RULE, STEPS, bench_of

from luthier.data.feed.batches import EpochBatches
from tiny import furthest, same_bits

SCRIPT = str(Path(__file__).with_name("sharded_process.py"))


@pytest.fixture(scope="module")
def out(bert: Path, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind of every case."""
    folder = tmp_path_factory.mktemp("sharded")
    done = torchrun([SCRIPT, str(bert), str(llama), str(folder)])
    assert done.returncode == 0, done.stderr[-5000:]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_halves_equal_one_whole(case: str, bert: Path, llama: Path, out: Path) -> None:
    first, second = (load_file(str(out / f"{case}.{rank}.safetensors")) for rank in (0, 1))
    assert same_bits(first, second)
    bench = bench_of(case, str(bert), str(llama))
    _, _, plan, descent = CASES[case]
    batches = EpochBatches(bench.encoded, bench.all, replace(bench.plan, **plan))
    before = bench.begin()[1].snapshot()
    alone = bench.train(STEPS, batches, **(RULE | descent)).snapshot()
    assert furthest(alone, first) < 1e-6
    assert furthest(before, first) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_each_process_holds_half(case: str, out: Path) -> None:
    held = [json.loads((out / f"held.{rank}.json").read_text())[case] for rank in (0, 1)]
    (first, whole), (second, _) = held
    assert first + second == whole
    assert max(first, second) < 0.51 * whole


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if c.endswith("state")])
def test_a_state_is_whole_on_disk(
    case: str, bert: Path, llama: Path, out: Path, tmp_path: Path
) -> None:
    saved = load_file(str(out / case / "state.safetensors"))
    parameters = load_file(str(out / f"{case}.0.safetensors"))
    assert same_bits({n: saved[f"parameter/{n}"] for n in parameters}, parameters)
    assert any(n.startswith("optimizer/") and t.any() for n, t in saved.items())
    assert same_bits(load_file(str(out / f"{case} again" / "state.safetensors")), saved)
    bench = bench_of(case, str(bert), str(llama))
    _, alone = bench.begin(kind=CASES[case][3]["kind"])
    alone.load(out / case, "contract")
    assert alone.step == STEPS
    alone.save(tmp_path / "alone", "contract")
    assert same_bits(load_file(str(tmp_path / "alone" / "state.safetensors")), saved)
    about = [json.loads((f / "state.json").read_text()) for f in (out / case, tmp_path / "alone")]
    assert about[0] == about[1]
