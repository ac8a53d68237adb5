"""The gradient of the mean loss, summed over micro-batches and processes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from luthier.data.feed.batch import LogicalBatch
from luthier.models.network import Network
from luthier.train.step import Gradient, Objective
from luthier.train.world import World


@dataclass(frozen=True)
class PlainGradient:
    """Backpropagation.

    Every micro-batch is divided by the weight of the whole logical batch, so cutting a batch
    differently, or among processes, changes nothing but rounding.
    """

    device: str = "cpu"
    world: World = field(default_factory=World)

    def __call__(self, objective: Objective, network: Network, batch: LogicalBatch, /) -> Gradient:
        """Leaves the gradient in `parameter.grad`; an earlier one is replaced."""
        trained = [p for p in network.parameters() if p.requires_grad]
        for parameter in trained:
            parameter.grad = None
        loss = torch.zeros((), device=self.device)
        counts = torch.tensor([batch.size, batch.tokens], dtype=torch.float64, device=self.device)
        for micro in batch:
            part = objective(network, micro.to(self.device)).total / batch.weight
            part.backward()
            loss += part.detach()
        if self.world.size > 1:
            for parameter in trained:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            grads = [p.grad for p in trained if p.grad is not None]
            self.world.add_up([loss.view(1), *grads])
            self.world.add_up([counts])
        return Gradient(float(loss), int(counts[0]), int(counts[1]))
