"""The worst small disturbance of hidden states, found by climbing the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from luthier.data.feed.batch import Batch
from luthier.models.network import Network
from luthier.models.unpadded import rows_of
from luthier.train.step import Objective


@dataclass(frozen=True)
class Disturbance:
    """How hidden states are disturbed.

    `radius` is relative to each token's hidden state: the disturbance of one example has at most
    `radius` times the norm of its hidden states. `layers` are those whose input is disturbed; a
    batch that enters above is disturbed where it enters.
    """

    radius: float
    steps: int = 1
    layers: tuple[int, ...] = (0,)
    rate: float | None = None
    """Length of a step relative to the radius; left out, twice the radius over the steps."""


@dataclass(frozen=True)
class Shift:
    """Disturbances (B, T, D), one for each layer."""

    deltas: dict[int, Tensor]

    @contextmanager
    def applied(self, network: Network, batch: Batch) -> Iterator[None]:
        """Forward passes inside the block are disturbed."""
        with ExitStack() as hooks:
            for layer, delta in self.deltas.items():
                hook = _adding(batch, delta)
                module = _layers(network)[layer]
                handle = module.register_forward_pre_hook(hook, prepend=True, with_kwargs=True)
                hooks.callback(handle.remove)
            yield


def entered(network: Network, batch: Batch, layers: Sequence[int]) -> dict[int, Tensor]:
    """What enters each layer (B, T, D) when the batch is run, without a gradient."""
    found: dict[int, Tensor] = {}
    with ExitStack() as hooks, torch.no_grad():
        for layer in layers:

            def keep(module: nn.Module, args: Any, kwargs: Any, layer: int = layer) -> None:
                given = args[0] if args else kwargs["hidden_states"]
                found[layer] = padded(batch, given)

            handle = _layers(network)[layer].register_forward_pre_hook(keep, with_kwargs=True)
            hooks.callback(handle.remove)
        network.hidden(batch)
    return found


def lengths_of(states: Tensor, mask: Tensor | None) -> Tensor:
    """Norm of each example's hidden states (B, 1, 1), padding left out."""
    real = states if mask is None else states * mask.unsqueeze(-1).to(states.dtype)
    found: Tensor = real.flatten(1).norm(dim=1).view(-1, 1, 1)
    return found


def ascend(objective: Objective, network: Network, batch: Batch, how: Disturbance) -> Shift:
    """The disturbance after `how.steps` of ascent from none, each example by itself.

    The first step follows the gradient at the undisturbed point, so one step is the fast gradient
    method. Trained parameters get no gradient here.

    Source: Madry et al. 2018, section 2.1, with the L2 norm; Miyato et al. 2017 for text.
    """
    states = entered(network, batch, how.layers)
    bounds = {k: how.radius * lengths_of(s, batch.mask) for k, s in states.items()}
    deltas = {k: torch.zeros_like(s) for k, s in states.items()}
    rate = how.rate or (1.0 if how.steps == 1 else 2.0 / how.steps)
    with frozen(network):
        for _ in range(how.steps if how.radius > 0 else 0):
            slopes = slopes_at(objective, network, batch, deltas)
            deltas = {
                k: project(deltas[k] + rate * bounds[k] * unit(slopes[k]), bounds[k])
                for k in deltas
            }
    return Shift(deltas)


def slopes_at(
    objective: Objective, network: Network, batch: Batch, deltas: dict[int, Tensor]
) -> dict[int, Tensor]:
    """The gradient of the losses along the disturbances, at these disturbances."""
    leaves = {k: d.detach().requires_grad_(True) for k, d in deltas.items()}
    with torch.enable_grad(), Shift(leaves).applied(network, batch):
        losses = objective(network, batch)
    found = torch.autograd.grad(losses.per_example.sum(), list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def unit(slope: Tensor) -> Tensor:
    """The direction of each example's gradient; none where it is zero."""
    length: Tensor = slope.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1)
    return slope / length


def project(delta: Tensor, bound: Tensor) -> Tensor:
    """The nearest disturbance that is no longer than the bound (B, 1, 1)."""
    length = delta.flatten(1).norm(dim=1).view(-1, 1, 1)
    return delta * torch.clamp(bound / length.clamp(min=1e-12), max=1.0)


@contextmanager
def frozen(network: Network) -> Iterator[None]:
    """Inside the block no parameter gets a gradient; what is disturbed still does."""
    trained = [p for p in network.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _layers(network: Network) -> Any:
    return network.backbone.get_submodule(network.stack.path)


def _adding(batch: Batch, delta: Tensor) -> Any:
    def add(module: nn.Module, args: Any, kwargs: Any) -> Any:
        given = args[0] if args else kwargs["hidden_states"]
        changed = given + _flat(batch, delta, given).to(given.dtype)
        if args:
            return (changed, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": changed}

    return add


def _flat(batch: Batch, delta: Tensor, given: Tensor) -> Tensor:
    """The disturbance in the shape in which rows are run."""
    if given.shape == delta.shape:
        return delta
    assert batch.mask is not None
    rows = rows_of(batch.mask)
    assert rows is not None
    return delta.flatten(0, 1)[rows.places].unsqueeze(0)


def padded(batch: Batch, given: Tensor) -> Tensor:
    """Values of tokens (B, T, D), in whichever shape rows were run; without a gradient."""
    size, width = batch.ids.shape
    if given.shape[:2] == (size, width):
        return given.detach()
    assert batch.mask is not None
    rows = rows_of(batch.mask)
    assert rows is not None
    whole = given.new_zeros(size * width, given.shape[-1])
    return whole.index_copy(0, rows.places, given[0].detach()).view(size, width, -1)
