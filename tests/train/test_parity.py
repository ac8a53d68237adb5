"""The update of LoRA equals PEFT under a plain torch loop, written out here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModel, AutoModelForCausalLM

from luthier.core.types import Task
from luthier.data.feed.batch import LogicalBatch
from luthier.models.adapters.lora import LowRank
from luthier.train.schedule import RateSchedule
from tiny import Bench, make_bench

STEPS, RATE, WARMUP, DECAY = 20, 1e-3, 4, 6


def _rate(step: int) -> float:
    """Warm-up over 4 updates, then steady, then down over the last 6."""
    if step < WARMUP:
        return RATE * (step + 1) / WARMUP
    return RATE * min(1.0, (STEPS - step) / DECAY)


def _padded(batch: LogicalBatch) -> tuple[Tensor, Tensor, list[Any]]:
    """All rows of a logical batch as one padded tensor, whatever its cuts were."""
    parts = [
        (micro.ids[i][micro.mask[i] > 0], micro, i)
        for micro in batch
        if micro.mask is not None
        for i in range(len(micro.ids))
    ]
    longest = max(len(ids) for ids, _, _ in parts)
    ids = torch.zeros(len(parts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, (row, _, _) in enumerate(parts):
        ids[line, : len(row)] = row
        mask[line, : len(row)] = 1
    return ids, mask, [(micro, i) for _, micro, i in parts]


class _Plain:
    """What a careful person writes without a library."""

    def __init__(self, bench: Bench, folder: Path, task: Task) -> None:
        self.task = task
        loader = AutoModel if task is Task.CLASSIFY else AutoModelForCausalLM
        config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", lora_dropout=0.0)
        if task is Task.CLASSIFY:
            config.exclude_modules = ["pooler.dense"]
        self.model = get_peft_model(loader.from_pretrained(str(folder)).eval(), config)
        self.output = nn.Linear(32, 3) if task is Task.CLASSIFY else None
        ours = bench.begin()[1].snapshot()
        with torch.no_grad():
            for name, parameter in self.named():
                parameter.copy_(ours[name])
        assert {n for n, _ in self.named()} == set(ours)

    def named(self) -> list[tuple[str, nn.Parameter]]:
        """Trained parameters under the names of our network."""
        found = [(f"model.{n}", p) for n, p in self.model.named_parameters() if p.requires_grad]
        if self.output is not None:
            found += [(f"output.{n}", p) for n, p in self.output.named_parameters()]
        return found

    def loss(self, batch: LogicalBatch) -> Tensor:
        ids, mask, rows = _padded(batch)
        if self.task is Task.CLASSIFY:
            assert self.output is not None
            hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask.unsqueeze(-1).float()
            pooled = (hidden * weights).sum(1) / weights.sum(1)
            target = torch.stack([micro.targets[i] for micro, i in rows])
            return cross_entropy(self.output(pooled), target)
        logits = self.model(input_ids=ids, attention_mask=mask).logits
        target = torch.full_like(ids, -100)
        for line, (micro, i) in enumerate(rows):
            learn = micro.learn[i][micro.mask[i] > 0] > 0
            target[line, : len(learn)][learn] = ids[line, : len(learn)][learn]
        return cross_entropy(logits[:, :-1].flatten(0, 1), target[:, 1:].flatten())

    def train(self, batches: Any) -> list[float]:
        matrices = [p for _, p in self.named() if p.ndim >= 2]
        vectors = [p for _, p in self.named() if p.ndim < 2]
        optimizer = torch.optim.AdamW(
            [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}],
            lr=RATE,
            betas=(0.9, 0.999),
            eps=1e-8,
            weight_decay=0.01,
        )
        curve = []
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = _rate(step)
            optimizer.zero_grad()
            loss = self.loss(batches.at(step))
            loss.backward()
            nn.utils.clip_grad_norm_([p for _, p in self.named()], 1.0)
            optimizer.step()
            curve.append(loss.item())
        return curve


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.INSTRUCT])
def test_twenty_updates(task: Task, bert: Path, llama: Path) -> None:
    folder = bert if task is Task.CLASSIFY else llama
    bench = make_bench(folder, task, LowRank(rank=4, alpha=8.0))
    plain = _Plain(bench, folder, task)
    start = bench.begin()[1].snapshot()
    batches = bench.batches(micro_rows=3)
    schedule = RateSchedule(STEPS, "wsd", warmup=WARMUP / STEPS, decay=DECAY / STEPS)
    state = bench.train(STEPS, batches, rate=RATE, schedule=schedule, fused=True)
    curve = plain.train(batches)
    ours = state.snapshot()
    for name, parameter in plain.named():
        assert float((ours[name] - parameter.detach()).abs().max()) < 1e-6, name
    assert max(float((ours[n] - start[n]).abs().max()) for n in ours) > 1e-3
    found = [value for _, name, value in state.curve if name == "loss"]
    assert found == pytest.approx(curve, abs=1e-5)
    assert all(math.isfinite(value) for value in curve)
