"""The plan of a network that is loaded: which fast paths are legal here, and what it will cost."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch

from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan, collate
from luthier.data.feed.encode import Encoded
from luthier.models.adapter import Adapter
from luthier.models.heads.language import plain_unembedding
from luthier.models.layers import can_cut
from luthier.models.masked import why_whole
from luthier.models.network import Network
from luthier.recipe.recipe import Recipe
from luthier.stages.forecast.result import Costs, Path, PlanResult, Schedule, show_masks
from luthier.stages.forecast.rules import (
    Body,
    costs,
    default_epochs,
    paths_of,
    resolved,
    schedule,
    untrained,
)
from luthier.stages.parts.shares import crowd_of
from luthier.train.sharded import most_at_once, own
from luthier.train.state import trainable

__all__ = [
    "Costs",
    "Path",
    "PlanResult",
    "Schedule",
    "body",
    "default_epochs",
    "estimate",
    "paths",
    "resolve",
    "schedule",
    "show_masks",
]


def paths(recipe: Recipe, task: Task, network: Network, adapter: Adapter) -> dict[str, Path]:
    """Every fast path with its verdict.

    Raises: FixRecipe when one is demanded that is not legal here.
    """
    return paths_of(recipe, task, body(network, task), adapter)


def resolve(recipe: Recipe, task: Task, rows: int, network: Network, adapter: Adapter) -> Recipe:
    """The recipe with every `auto` that depends on data and model filled in."""
    return resolved(recipe, task, rows, body(network, task), adapter)


def estimate(
    network: Network, encoded: Encoded, train_rows: np.ndarray, recipe: Recipe, steps: int
) -> Costs:
    """Memory and time, from one forward pass over real rows and the sizes of what is kept.

    Raises: LowerMemory when not even one row fits into what is free.
    """
    shape = body(network, encoded.task)
    if not len(train_rows):
        return untrained(shape)
    batch = recipe.train.batch_size
    random = np.random.default_rng(0)
    picked = random.choice(train_rows, size=min(batch, len(train_rows)), replace=False)
    middle = picked[np.argsort(encoded.lengths[picked])][: max(1, len(picked) // 2)]
    given = collate(encoded, middle, BatchPlan(batch, 0, _pad(network)))
    device = str(next(network.parameters()).device)
    network.mode(False, False)
    with torch.no_grad():
        work = partial(network.hidden, given.to(device))
        network.run(work)
        started = time.perf_counter()
        network.run(work)
        forward = (time.perf_counter() - started) / max(1, int(given.ids.numel()))
    return costs(recipe, shape, encoded.lengths[train_rows], steps, forward)


def body(network: Network, task: Task) -> Body:
    """What planning must know of a network."""
    config = network.plain.config
    held = sum(own(p).numel() * p.element_size() for p in network.parameters())
    return Body(
        causal=network.kind == "causal",
        cuda=torch.cuda.is_available(),
        layers=network.stack.layers,
        width=int(config.hidden_size),
        inner=int(getattr(config, "intermediate_size", 4 * config.hidden_size)),
        bytes=held + (most_at_once(network) if network.in_parts else 0),
        trained=sum(own(p).numel() for p in trainable(network).values()),
        no_cut=can_cut(network.backbone),
        no_chunks=_no_chunks(network) if task.generates else None,
        masked=network.kind == "masked",
        crowd=crowd_of(network),
    )


def _no_chunks(network: Network) -> str | None:
    if network.kind != "masked":
        return plain_unembedding(network)
    # A network held in parts was looked at while it was whole.
    return None if network.in_parts else why_whole(network.plain)


def _pad(network: Network) -> int:
    return int(getattr(network.plain.config, "pad_token_id", None) or 0)
