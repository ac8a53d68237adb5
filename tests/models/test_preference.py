"""DPO and ORPO against their formulas, written plainly from full logits."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from luthier.core.types import Task
from luthier.train.fit import fit
from luthier.train.state import Budget
from tiny import Bench, make_bench


def _log_chances(bench: Bench, index: int) -> list[float]:
    """log p of each supervised token of one sequence, from all logits."""
    ids = torch.tensor([int(t) for t in bench.encoded.ids[index]])
    assert bench.encoded.learn is not None
    learn = bench.encoded.learn[index]
    with torch.no_grad():
        logits = bench.network.plain(input_ids=ids[None]).logits[0]
    found = []
    for place in range(1, len(ids)):
        if learn[place]:
            row = logits[place - 1].double()
            found.append(float(row[ids[place]] - torch.logsumexp(row, 0)))
    return found


@pytest.fixture
def trained(llama: Path) -> tuple[Bench, torch.Tensor]:
    """A bench away from its start, and the margins it started with."""
    bench = make_bench(llama, Task.PREFER)
    reference = bench.reference()
    bench.train(3, bench.batches(reference=reference))
    bench.network.mode(False, False)
    return bench, torch.from_numpy(reference)


def test_dpo(trained: tuple[Bench, torch.Tensor], llama: Path) -> None:
    bench, reference = trained
    batch = bench.batches(reference=reference.numpy()).collate(bench.all[:5])
    found = bench.head.losses(bench.network, batch).per_example.detach()
    untouched = make_bench(llama, Task.PREFER)
    for pair in range(5):
        now = [sum(_log_chances(bench, 2 * pair + side)) for side in (0, 1)]
        then = [sum(_log_chances(untouched, 2 * pair + side)) for side in (0, 1)]
        assert then[0] - then[1] == pytest.approx(float(reference[pair]), abs=1e-4)
        gain = (now[0] - then[0]) - (now[1] - then[1])
        wanted = -math.log(1 / (1 + math.exp(-0.1 * gain)))
        assert float(found[pair]) == pytest.approx(wanted, abs=1e-5)


def test_orpo(llama: Path) -> None:
    bench = make_bench(llama, Task.PREFER, objective="orpo")
    bench.network.mode(False, False)
    batch = bench.batches().collate(bench.all[:5])
    found = bench.head.losses(bench.network, batch).per_example.detach()

    def odds(p: float) -> float:
        return p / (1 - p)

    for pair in range(5):
        means = []
        for side in (0, 1):
            chances = _log_chances(bench, 2 * pair + side)
            means.append(sum(chances) / len(chances))
        ratio = odds(math.exp(means[0])) / odds(math.exp(means[1]))
        wanted = -means[0] - 0.1 * math.log(1 / (1 + 1 / ratio))
        assert float(found[pair]) == pytest.approx(wanted, abs=1e-5)


def test_before_training_dpo_is_the_logarithm_of_two(llama: Path) -> None:
    bench = make_bench(llama, Task.PREFER)
    batch = bench.batches(reference=bench.reference()).collate(bench.all[:5])
    bench.network.mode(False, False)
    losses = bench.head.losses(bench.network, batch).per_example
    torch.testing.assert_close(losses, torch.full((5,), math.log(2)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("objective", ["dpo", "orpo"])
def test_the_margin_grows(objective: str, llama: Path) -> None:
    bench = make_bench(llama, Task.PREFER, objective=objective)
    before = bench.reference()
    step, state = bench.begin(rate=2e-2)
    given = before if objective == "dpo" else None
    fit(state, step, bench.batches(reference=given), Budget(8))
    assert (bench.reference() - before).mean() > 0.1


def test_only_the_answer_in_question_is_compared(llama: Path) -> None:
    talk = [
        {"role": "user", "content": "a fee"},
        {"role": "assistant", "content": "pay today"},
        {"role": "user", "content": "late again"},
    ]
    rows = [{"messages": talk, "chosen": "money back", "rejected": "no"}]
    bench = make_bench(llama, Task.PREFER, rows=rows)
    assert bench.encoded.learn is not None
    texts = []
    for side in (0, 1):
        marks = zip(bench.encoded.ids[side], bench.encoded.learn[side], strict=True)
        texts.append(bench.base.tokenizer.decode([int(t) for t, learn in marks if learn]))
    assert texts == ["money back</s>", "no</s>"]
