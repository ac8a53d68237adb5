"""Each example that trains gives the library's loss curve and weights.

Both sides compute the same sums in another order: padding, cuts and kernels differ. In float32
that leaves differences of about 1e-7 per operation, and below 1e-5 in a loss. AdamW divides each
gradient by its own size, so a weight whose gradient is nothing but rounding may go either way. The
weights are therefore compared as a whole: their distance is at most 1e-4 of the way they went.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import classify_lora
import dpo
import instruct_lora
import orpo
import prefix_cache
import pytest
import torch
from torch import Tensor, nn

from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.batches import EpochBatches
from luthier.models.adapters.lora import LowRank
from luthier.train.schedule import RateSchedule
from luthier.train.state import TrainingState
from tiny import CHATML, Bench, losses_of, make_bench, make_tokenizer

SEEDS = (derive(0, "adapter"), derive(0, "head"))
LORA = LowRank(rank=4, alpha=8.0)
CONSTANT = RateSchedule(20, "constant", warmup=0.0)
LOSS, APART, MOVED = 1e-5, 1e-4, 1e-3


def _saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def _numbers(batches: EpochBatches, steps: int) -> list[list[int]]:
    """The rows of each update, in the library's order."""
    return [torch.cat([m.rows for m in batches.at(s)]).tolist() for s in range(steps)]


def _trained(model: nn.Module, output: nn.Module | None = None) -> dict[str, Tensor]:
    """What an example trained, under the library's names."""
    found = {f"model.{n}": p for n, p in model.named_parameters() if p.requires_grad}
    if output is not None:
        found |= {f"output.{n}": p for n, p in output.named_parameters()}
    return {name: p.detach() for name, p in found.items()}


def _flat(weights: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([weights[name].flatten() for name in sorted(weights)])


def _agree(
    start: Mapping[str, Tensor], state: TrainingState, plain: dict[str, Tensor], curve: list[float]
) -> None:
    ours = state.snapshot()
    assert ours.keys() == plain.keys()
    assert losses_of(state) == pytest.approx(curve, abs=LOSS)
    assert max(float((ours[n] - start[n]).abs().max()) for n in ours) > MOVED
    went = _flat(ours) - _flat(start)
    assert float((_flat(ours) - _flat(plain)).norm()) < APART * float(went.norm())


def _start(bench: Bench) -> dict[str, Tensor]:
    return bench.begin()[1].snapshot()


def test_classify_lora(tmp_path: Path) -> None:
    folder = _saved(classify_lora.tiny_encoder(), make_tokenizer(encoder=True), tmp_path)
    bench = make_bench(folder, Task.CLASSIFY, LORA)
    targets = bench.encoded.targets
    assert targets is not None
    rows = [(bench.encoded.ids[i].tolist(), int(targets[i])) for i in range(len(bench.encoded))]
    batches, start = bench.batches(micro_rows=3), _start(bench)
    schedule = RateSchedule(20, "wsd", warmup=4 / 20, decay=6 / 20)
    state = bench.train(20, batches, rate=1e-3, schedule=schedule)
    model, output, curve = classify_lora.tune(rows, _numbers(batches, 20), rate=1e-3, seeds=SEEDS)
    _agree(start, state, _trained(model, output), curve)


def _chats() -> list[dict[str, Any]]:
    said = ["good day", "hi", "welcome back to us", "yes", "hello", "no, not now", "ok", "it is"]
    chats = []
    for number, text in enumerate(said):
        turns = [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": f"Greet number {number}"},
            {"role": "assistant", "content": text},
        ]
        if number % 2:
            turns += [{"role": "user", "content": "and?"}, {"role": "assistant", "content": "bye"}]
        chats.append({"messages": turns})
    return chats


def _instructed(folder: Path) -> tuple[Bench, list[instruct_lora.Row]]:
    tokenizer = instruct_lora.tiny_tokenizer()
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    _saved(instruct_lora.tiny_llama(), tokenizer, folder)
    chats = _chats()
    bench = make_bench(folder, Task.INSTRUCT, LORA, chats, template=instruct_lora.TEMPLATE)
    return bench, [instruct_lora.tokens_of(row["messages"], tokenizer) for row in chats]


def test_chat_masks(tmp_path: Path) -> None:
    bench, rows = _instructed(tmp_path)
    assert bench.encoded.learn is not None
    for number, (ids, learn) in enumerate(rows):
        assert bench.encoded.ids[number].tolist() == ids
        assert bench.encoded.learn[number].tolist() == learn
        end = bench.base.tokenizer.eos_token_id
        assert [m for t, m in zip(ids, learn, strict=True) if t == end][-1] == 1
    assert instruct_lora.TEMPLATE.count("<|im_end|>") == CHATML.count("<|im_end|>")


@pytest.mark.parametrize("micro_rows", [1, 3])
def test_instruct_lora(micro_rows: int, tmp_path: Path) -> None:
    bench, rows = _instructed(tmp_path)
    batches, start = bench.batches(micro_rows=2, batch_size=4), _start(bench)
    state = bench.train(6, batches, rate=1e-3, schedule=CONSTANT)
    model, curve = instruct_lora.tune(
        rows, _numbers(batches, 6), micro_rows, rate=1e-3, seed=SEEDS[0]
    )
    _agree(start, state, _trained(model), curve)


@pytest.mark.parametrize("objective", ["dpo", "orpo"])
def test_preferences(objective: str, tmp_path: Path) -> None:
    folder = _saved(dpo.tiny_llama(), make_tokenizer(), tmp_path)
    bench = make_bench(folder, Task.PREFER, LORA, objective=objective)
    reference = bench.reference() if objective == "dpo" else None
    batches, start = bench.batches(reference=reference), _start(bench)
    state = bench.train(5, batches, rate=1e-3, schedule=CONSTANT)
    example = dpo if objective == "dpo" else orpo
    model, curve = example.tune(_pairs(bench), _numbers(batches, 5), rate=1e-3, seed=SEEDS[0])
    if objective == "dpo":
        assert curve[0] == pytest.approx(0.6931471, abs=1e-5)
    _agree(start, state, _trained(model), curve)


def _pairs(bench: Bench) -> list[dpo.Pair]:
    """The encoded pairs cut where the answer begins, which the mask tells."""
    pairs, learn = [], bench.encoded.learn
    assert learn is not None
    for number in range(len(bench.encoded)):
        parts = []
        for side in (2 * number, 2 * number + 1):
            ids, cut = bench.encoded.ids[side].tolist(), int(learn[side].argmax())
            parts.append((ids[:cut], ids[cut:]))
        assert parts[0][0] == parts[1][0]
        pairs.append((parts[0][0], parts[0][1], parts[1][1]))
    return pairs


def test_prefix_cache(tmp_path: Path) -> None:
    folder = _saved(classify_lora.tiny_encoder(), make_tokenizer(encoder=True), tmp_path / "model")
    bench = make_bench(folder, Task.CLASSIFY, LowRank(rank=4, alpha=8.0, top_layers=1))
    targets = bench.encoded.targets
    assert targets is not None
    rows = [(bench.encoded.ids[i].tolist(), int(targets[i])) for i in range(len(bench.encoded))]
    hidden = bench.prefix(prefix_cache.BELOW, tmp_path / "prefix")
    kept = prefix_cache.prefixes(classify_lora.tiny_encoder(), rows)
    for number, states in enumerate(kept):
        torch.testing.assert_close(torch.from_numpy(hidden[number].copy()), states)
    batches, start = bench.batches(hidden), _start(bench)
    state = bench.train(6, batches, kind="sgd", rate=0.05, schedule=CONSTANT, weight_decay=0.0)
    for cached, work in ((True, 2 * 24 + 48), (False, 3 * 48)):
        numbers = _numbers(batches, 6)
        model, output, curve, met = prefix_cache.tune(rows, numbers, cached, 0.05, SEEDS)
        assert met == work
        _agree(start, state, _trained(model, output), curve)
