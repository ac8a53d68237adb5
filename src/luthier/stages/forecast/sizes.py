"""Sizes and speed of a network that is known from its files."""

from __future__ import annotations

import time

import numpy as np

from luthier.core.types import Task
from luthier.data.feed.labels import LabelSet
from luthier.models.adapter import Adapter
from luthier.models.adapters.full import FullParameters
from luthier.models.adapters.ia3 import Ia3Scales
from luthier.models.adapters.lora import LowRank, named, refuse_too_many
from luthier.models.sketch import Sketch
from luthier.stages.forecast.rules import Body

_FLOAT32 = 4
_PRODUCT = 2.5e8
"""Multiplications of the product that is timed: a few hundredths of a second on one core."""
_BESIDE = 1.35
"""A forward pass takes about so many times its matrix products alone."""


def body_of(base: Sketch, adapter: Adapter, task: Task, labels: LabelSet) -> Body:
    """What planning must know of the base with its adapter and output layer, in float32.

    Raises: FixRecipe when the adapter does not fit the model.
    """
    outputs = {Task.REGRESS: 1, Task.TAG: len(labels.tags)}.get(task, len(labels.names))
    output = (base.width + 1) * outputs
    added, own = _added(base, adapter), _own(base, adapter)
    return Body(
        causal=False,
        cuda=False,
        layers=base.layers,
        width=base.width,
        inner=base.inner,
        bytes=_FLOAT32 * (base.parameters + added + output),
        trained=own + added + output,
        no_cut=None,
        no_chunks=None,
    )


def _own(base: Sketch, adapter: Adapter) -> int:
    """Parameters of the base that are trained."""
    if not isinstance(adapter, FullParameters):
        return 0
    refuse_too_many(adapter.top_layers, base.layers)
    every = adapter.top_layers is None
    return base.parameters if every else base.per_layer * (adapter.top_layers or 0)


def _added(base: Sketch, adapter: Adapter) -> int:
    """Parameters the adapter brings."""
    if not isinstance(adapter, LowRank | Ia3Scales):
        return 0
    refuse_too_many(adapter.top_layers, base.layers)
    names = named(base.names(adapter.top_layers), adapter.targets)
    if isinstance(adapter, LowRank):
        sizes = [base.linears[name] for name in names]
        magnitudes = sum(made for _, made in sizes) if adapter.decomposed else 0
        return adapter.rank * sum(map(sum, sizes)) + magnitudes
    return sum(base.linears[n][0 if inner else 1] for n, inner in adapter.scaled(names).items())


def seconds_per_token(base: Sketch, tokens: float) -> float:
    """Seconds of a forward pass per token of rows of so many tokens, from one timed product."""
    weights = sum(given * made for given, made in base.linears.values())
    attention = 2 * tokens * base.width * base.layers
    return _BESIDE * (weights + attention) * _seconds_per_product(base.width, base.inner)


def _seconds_per_product(width: int, inner: int) -> float:
    rows = int(min(512, max(16, _PRODUCT / (width * inner))))
    left, right = np.ones((rows, width), np.float32), np.ones((width, inner), np.float32)
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        np.matmul(left, right)
        seconds.append(time.perf_counter() - started)
    return min(seconds) / (rows * width * inner)
