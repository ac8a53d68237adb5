"""A look at the first micro-batch: the gradients of the units add up to the plain gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from luthier.core.errors import FixRecipe
from luthier.data.feed.batch import Batch
from luthier.models.network import Network
from luthier.train.step import Objective
from luthier.train.units.layout import Layout
from luthier.train.units.passing import pass_through
from luthier.train.units.watched import Watched

TOLERANCE = 2e-3
"""Largest relative difference that rounding is taken for."""


def check_sums(
    layers: Sequence[Watched], objective: Objective, network: Network, batch: Batch, layout: Layout
) -> None:
    """Compares the sum over units with the gradient that backpropagation finds, per parameter.

    What a network does with a parameter outside its layer would otherwise be lost in silence.

    Raises: FixRecipe for the first parameter whose gradient is not wholly reached.
    """
    random = torch.get_rng_state()
    objective(network, batch).total.backward()
    marks = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            marks[id(parameter)] = _mark(parameter.grad)
            parameter.grad = None
    torch.set_rng_state(random)
    found = pass_through(layers, objective, network, batch, layout)
    sums = {
        id(p): torch.zeros(p.shape, device=p.device) for layer in layers for p in layer.parameters
    }
    found.add(torch.ones(layout.units, device=layout.owner.device), sums)
    torch.set_rng_state(random)
    scale = max(float(mark[0]) for mark in marks.values())
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad or not torch.isfinite(marks[id(parameter)]).all():
            continue
        gap = (_mark(sums.get(id(parameter))) - marks[id(parameter)]).abs().max()
        if float(gap) > TOLERANCE * max(float(marks[id(parameter)][0]), 1e-3 * scale):
            raise FixRecipe(
                f"gradients of single texts, parameter {name}",
                "the gradients of single texts do not add up to its gradient: the model uses it "
                "in a way that no rule reaches",
                advice="train other layers: adapter.kind: lora, or adapter.targets",
            )


def _mark(grad: Tensor | None) -> Tensor:
    """The norm of a gradient and its product with fixed signs (2,): enough to tell two apart."""
    if grad is None:
        return torch.zeros(2)
    flat = grad.detach().float().flatten()
    signs = torch.cos(torch.arange(len(flat), device=flat.device, dtype=torch.float32))
    return torch.stack([flat.norm(), flat @ signs / max(1, len(flat)) ** 0.5]).cpu()
