"""Norms and clipped sums agree with Opacus, where it is installed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from luthier.core.types import Task
from luthier.models.adapters.full import HeadAlone
from luthier.train.private.mechanism import Mechanism
from luthier.train.units.layout import layout_of
from luthier.train.units.passing import pass_through
from luthier.train.units.watched import watched_layers
from tiny import make_bench

opacus = pytest.importorskip("opacus", reason="Opacus is not installed beside Luthier")


def test_flat_clipping_gives_the_sum_of_opacus(bert: Path) -> None:
    from opacus.grad_sample import GradSampleModule

    bench = make_bench(bert, Task.CLASSIFY, HeadAlone())
    network = bench.network
    batch = bench.batches().at(0).micro[0]
    with torch.no_grad():
        given = network.pooled(batch)
    layer = GradSampleModule(copy.deepcopy(network.output), loss_reduction="sum")
    nn.functional.cross_entropy(layer(given), batch.targets, reduction="sum").backward()
    samples = [p.grad_sample.flatten(1) for p in layer.parameters()]
    norms = torch.cat(samples, 1).norm(dim=1)
    layout = layout_of(network, batch, None)
    found = pass_through(watched_layers(network), bench.head.losses, network, batch, layout)
    torch.testing.assert_close(found.norms, norms, rtol=1e-5, atol=0)
    bound = float(norms.median())
    factors = Mechanism(1.0, 1.0, bound, "flat").factors(found.norms)
    trained = [p for p in network.parameters() if p.requires_grad]
    sums = {id(p): torch.zeros_like(p) for p in trained}
    found.add(factors, sums)
    clipped = (bound / norms).clamp(max=1.0)
    for parameter, sample in zip(trained, samples, strict=True):
        expected = (clipped[:, None] * sample).sum(0).view(parameter.shape)
        torch.testing.assert_close(sums[id(parameter)], expected, rtol=1e-4, atol=1e-5)
