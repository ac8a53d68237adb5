"""The gradient of the mean loss where parameters are held in parts by several processes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from luthier.data.feed.batch import Batch, LogicalBatch
from luthier.models.network import Network
from luthier.train.step import Gradient, Objective
from luthier.train.world import World


@dataclass(frozen=True)
class ShardedGradient:
    """Backpropagation through a network that was cut by `luthier.train.sharded.shard`.

    Each pass is a conversation of all processes, so all make equally many: who has fewer
    micro-batches repeats a row of weight zero. Sums arrive in the parts as the backward pass
    goes on; nobody ever holds a whole gradient.
    """

    world: World
    device: str = "cpu"

    def __call__(self, objective: Objective, network: Network, batch: LogicalBatch, /) -> Gradient:
        """Leaves this process's part of the gradient in `parameter.grad`."""
        for parameter in network.parameters():
            parameter.grad = None
        passes = int(self.world.largest(len(batch.micro)))
        loss = torch.zeros(1, device=self.device)
        for number in range(passes):
            micro = batch.micro[number] if number < len(batch.micro) else batch.spare
            assert micro is not None
            part = network.run(partial(_loss, objective, network, micro.to(self.device)))
            part = part / batch.weight
            part.backward()
            loss += part.detach()
        counts = torch.tensor([batch.size, batch.tokens], dtype=torch.float64, device=self.device)
        self.world.add_up([loss])
        self.world.add_up([counts])
        return Gradient(float(loss), int(counts[0]), int(counts[1]))


def _loss(objective: Objective, network: Network, batch: Batch) -> Tensor:
    """A tensor, not a record: the machinery must see what the backward pass begins with."""
    return objective(network, batch).total
