"""Adapters inside the weights they change, for as long as nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from luthier.models.adapters.fused import FusedLoraLinear
from luthier.models.network import Network

MOST = 100_000_000
"""Numbers that are kept twice meanwhile: 400 MB. In wider models adapters cost little anyway."""


@contextmanager
def folded(network: Network) -> Iterator[bool]:
    """Until it ends, a pass costs what one of the base costs; then the weights are the very bits
    they were. Gives whether it could be done: plain LoRA in 32 bits, one process.
    """
    layers = [m for m in network.modules() if isinstance(m, FusedLoraLinear)]
    count = sum(layer.base_layer.weight.numel() for layer in layers)
    plain = all(layer.foldable for layer in layers)
    if not layers or not plain or count > MOST or network.in_parts:
        yield False
        return
    before = [layer.base_layer.weight.detach().clone() for layer in layers]
    for layer in layers:
        layer.merge()
    try:
        yield True
    finally:
        for layer, weight in zip(layers, before, strict=True):
            layer.unmerge()
            with torch.no_grad():
                layer.base_layer.weight.copy_(weight)
