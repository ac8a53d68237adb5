"""The plan: which fast paths are legal here, what it will cost, and what is impossible."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import psutil
import torch

from luthier.core.errors import FixRecipe, LowerMemory
from luthier.core.types import Finding, Task
from luthier.data.feed.batches import BatchPlan, collate
from luthier.data.feed.encode import Encoded
from luthier.models.adapter import Adapter
from luthier.models.heads.language import plain_unembedding
from luthier.models.layers import can_cut
from luthier.models.network import Network
from luthier.recipe.model import Full
from luthier.recipe.recipe import Recipe
from luthier.recipe.train import Fast
from luthier.train.schedule import default_rate
from luthier.train.state import trainable

Choice = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Path:
    """A fast path: whether it is taken, and why or why not."""

    on: bool
    why: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"on": self.on, "why": self.why}


@dataclass(frozen=True)
class Schedule:
    """How long training is."""

    steps: int
    steps_per_epoch: int
    epochs: float
    rate: float
    every: int


@dataclass(frozen=True)
class PlanResult:
    """What will be done, before it is done."""

    task: Task
    rows: dict[str, int]
    findings: tuple[Finding, ...]
    estimate: dict[str, float]
    legal: dict[str, dict[str, Any]]
    resolved: Recipe
    masked: tuple[tuple[tuple[str, bool], ...], ...]
    base: str
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON contract of `luthier plan --json`."""
        return {
            "task": self.task.value,
            "rows": self.rows,
            "findings": [f.as_dict() for f in self.findings],
            "estimate": self.estimate,
            "legal": self.legal,
            "base": self.base,
            "notes": list(self.notes),
            "recipe": self.resolved.model_dump(mode="json"),
            "masked": [[[text, learn] for text, learn in row] for row in self.masked],
        }


def paths(recipe: Recipe, task: Task, network: Network, adapter: Adapter) -> dict[str, Path]:
    """Every fast path with its verdict.

    Raises: FixRecipe when one is demanded that is not legal here.
    """
    fast, cuda = recipe.fast, torch.cuda.is_available()
    verdicts = {
        "bucket": (fast.bucket, None, True, "rows of similar length share a batch"),
        "pack": (fast.pack, _no_pack(task, fast), cuda, "several rows share a sequence"),
        "prefix_cache": (
            fast.prefix_cache,
            _no_prefix(fast, network, adapter),
            True,
            f"{_frozen(network, adapter)} frozen layers run once per row",
        ),
        "chunked_loss": (
            fast.chunked_loss,
            _no_chunks(task, network),
            True,
            "logits are never all held at once",
        ),
        "token_cache": (fast.token_cache, None, True, "tokens of the same rows are kept"),
        "fused_optimizer": (
            fast.fused_optimizer,
            None if recipe.train.optimizer.kind == "adamw" else "only AdamW has a fused kernel",
            True,
            "one kernel updates all parameters",
        ),
    }
    return {name: _verdict(name, *parts) for name, parts in verdicts.items()}


def _verdict(name: str, wish: Choice, illegal: str | None, pays: bool, why: str) -> Path:
    if illegal is not None:
        if wish == "on":
            raise FixRecipe(f"fast.{name}", f"it is not possible: {illegal}", advice="use auto")
        return Path(False, illegal)
    if wish == "off":
        return Path(False, "switched off in the recipe")
    if wish == "auto" and not pays:
        return Path(False, "legal, but bucketing is faster on this machine")
    return Path(True, why)


def _no_pack(task: Task, fast: Fast) -> str | None:
    if task not in (Task.INSTRUCT, Task.ADAPT):
        return f"rows of a {task.value} task are not packed"
    return "the prefix cache keeps rows apart" if fast.prefix_cache == "on" else None


def _frozen(network: Network, adapter: Adapter) -> int:
    return network.stack.layers - (adapter.top_layers or network.stack.layers)


def _no_prefix(fast: Fast, network: Network, adapter: Adapter) -> str | None:
    if _frozen(network, adapter) == 0:
        return "every layer is trained (set adapter.top_layers)"
    if fast.base_dropout:
        return "the dropout of the base is on, so its layers never give the same twice"
    return can_cut(network.backbone)


def _no_chunks(task: Task, network: Network) -> str | None:
    if not task.generates:
        return "this task has no vocabulary to score"
    return plain_unembedding(network)


def resolve(recipe: Recipe, task: Task, rows: int, network: Network, adapter: Adapter) -> Recipe:
    """The recipe with every `auto` that depends on data and model filled in."""
    train = recipe.train
    rate = train.learning_rate
    if rate == "auto":
        causal = network.kind == "causal"
        rate = default_rate(_width(network), train.batch_size, adapter.rate_factor(), causal)
    epochs = train.epochs or default_epochs(task, rows, train.batch_size)
    filled = train.model_copy(update={"learning_rate": float(f"{rate:.4g}"), "epochs": epochs})
    return recipe.model_copy(update={"train": filled, "task": task})


def default_epochs(task: Task, rows: int, batch_size: int) -> float:
    """Enough passes for about 400 updates, at least 3 and at most 10; for text answers 600, 2 to 5.

    Few rows need many passes before an adapter moves; many rows need few. A classifier begins as
    a fitted probe, and early stopping ends what does not improve.
    """
    steps = max(1, math.ceil(rows / batch_size))
    if task.generates:
        return float(min(5, max(2, round(600 / steps))))
    return float(min(10, max(3, round(400 / steps))))


def schedule(recipe: Recipe, rows: int) -> Schedule:
    """Updates, passes and validation rhythm of a resolved recipe."""
    train = recipe.train
    per_epoch = max(1, math.ceil(rows / train.batch_size))
    steps = max(1, round(per_epoch * train.epochs))
    if train.max_steps is not None:
        steps = min(steps, train.max_steps)
    assert train.learning_rate != "auto"
    every = max(1, steps // train.validations)
    return Schedule(steps, per_epoch, steps / per_epoch, float(train.learning_rate), every)


def _width(network: Network) -> int:
    return int(network.plain.config.hidden_size)


@dataclass(frozen=True)
class Costs:
    """What the estimate was made from."""

    memory_mb: float
    seconds: float
    micro_rows: int


def estimate(
    network: Network, encoded: Encoded, train_rows: np.ndarray, recipe: Recipe, steps: int
) -> Costs:
    """Memory and time, from one forward pass over real rows and the sizes of what is kept.

    Raises: LowerMemory when not even one row fits into what is free.
    """
    batch = recipe.train.batch_size
    lengths = encoded.lengths[train_rows]
    random = np.random.default_rng(0)
    picked = random.choice(train_rows, size=min(batch, len(train_rows)), replace=False)
    middle = picked[np.argsort(encoded.lengths[picked])][: max(1, len(picked) // 2)]
    given = collate(encoded, middle, BatchPlan(batch, 0, _pad(network)))
    device = str(next(network.parameters()).device)
    network.mode(False, False)
    with torch.no_grad():
        network.hidden(given.to(device))
        started = time.perf_counter()
        network.hidden(given.to(device))
        forward = (time.perf_counter() - started) / max(1, int(given.ids.numel()))
    whole = isinstance(recipe.adapter, Full) and recipe.adapter.top_layers is None
    factor = {"full": 3.0, "none": 1.1}.get(recipe.adapter.kind, 2.6)
    tokens = float(lengths.mean()) * batch * (2 if encoded.task is Task.PREFER else 1)
    seconds = steps * tokens * forward * factor + 8.0
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    trained = sum(p.numel() for p in trainable(network).values())
    longest = float(np.quantile(lengths, 0.99))
    per_row = _activation_bytes(network, longest, whole)
    process = 420e6
    free = psutil.virtual_memory().available
    room = max(1, int(0.6 * (free - trained * 12) / per_row))
    if free < weights * 0.1 + trained * 12 + per_row:
        raise LowerMemory(
            "this machine",
            f"{free / 1e6:.0f} MB are free and one row needs about {per_row / 1e6:.0f} MB",
            advice="lower model.max_tokens, or use a smaller model or adapter.top_layers",
        )
    micro = recipe.train.micro_batch or min(batch, room)
    memory = process + weights + trained * 12 + per_row * micro
    return Costs(round(memory / 1e6, 1), round(seconds, 1), micro)


def _activation_bytes(network: Network, tokens: float, whole: bool) -> float:
    """Bytes kept for the backward pass of one row: about 16 widths per token and layer, and the
    attention weights where the kernel keeps them (Korthikanti et al. 2022, section 4.1)."""
    config = network.plain.config
    width, layers = config.hidden_size, network.stack.layers
    inner = getattr(config, "intermediate_size", 4 * width)
    kept = 8 * width + 2 * inner + (2 * inner if whole else 0)
    return float(4.0 * tokens * layers * kept)


def _pad(network: Network) -> int:
    return int(getattr(network.plain.config, "pad_token_id", None) or 0)


def show_masks(encoded: Encoded, tokenizer: Any, rows: int = 3) -> tuple[Any, ...]:
    """The first rows as pairs of text and whether the loss reads it."""
    shown = []
    for index in range(min(rows, len(encoded.ids))):
        ids = [int(t) for t in encoded.ids[index]]
        if encoded.learn is None:
            marks = [False] * len(ids)
        else:
            marks = [bool(m) for m in encoded.learn[index]]
        shown.append(
            tuple(
                (tokenizer.decode([token], skip_special_tokens=False), mark)
                for token, mark in zip(ids, marks, strict=True)
            )
        )
    return tuple(shown)
