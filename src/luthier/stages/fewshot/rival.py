"""Parameters that were trained beside the ones that are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from luthier.models.network import Network


@dataclass(frozen=True)
class Rival:
    """Trained parameters by name, and what the model with them is called."""

    name: str
    weights: Mapping[str, Tensor]

    @contextmanager
    def in_place_of(self, network: Network) -> Iterator[None]:
        """The network with these parameters; with its own again when it is over."""
        own = taken(network)
        put(network, self.weights)
        try:
            yield
        finally:
            put(network, own)


def taken(network: Network) -> dict[str, Tensor]:
    """A copy of the parameters that are trained, by name."""
    named = network.named_parameters()
    return {name: p.detach().clone() for name, p in named if p.requires_grad}


def put(network: Network, weights: Mapping[str, Tensor]) -> None:
    """Writes parameters into the network."""
    known = dict(network.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            known[name].copy_(value)
