"""What brings texts of one class together: a cosine head, and likeness within the batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from luthier.data.feed.batch import Batch
from luthier.models.losses import Losses
from luthier.models.network import Network

SCALE, SMOOTHING = 20.0, 0.05
"""Cosines are multiplied by `SCALE` before they become chances."""
LIKENESS, NEARNESS = 0.1, 1.0
"""Temperature of the contrastive loss, and how much it counts beside the cross-entropy."""


@dataclass(frozen=True, eq=False)
class Closer:
    """Cross-entropy of a cosine head and supervised contrastive loss, seen from `centre` (D,).

    The network's output layer holds one direction per class. The loss of a row depends on its
    neighbours, so it does not decompose.

    Source: Khosla et al., Supervised Contrastive Learning, 2020, equation 2.
    """

    centre: Float[Tensor, " D"]
    nearness: float = NEARNESS

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        """The loss of each row (B,)."""
        assert batch.targets is not None
        level = normalize(network.pooled(batch).float() - self.centre)  # type: ignore[no-untyped-call]
        told = normalize(next(network.output.parameters()))  # type: ignore[no-untyped-call, union-attr]
        losses = cross_entropy(
            SCALE * level @ told.T, batch.targets, reduction="none", label_smoothing=SMOOTHING
        )
        losses = losses + self.nearness * contrast(level, batch.targets)
        return Losses(losses, batch.weights, decomposes=False)


def contrast(level: Float[Tensor, "B D"], targets: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Nats per row: how hard its class is to tell among its neighbours by likeness alone; nothing
    for a row that has no neighbour of its class. `level` are unit vectors."""
    alike = level @ level.T / LIKENESS
    itself = torch.eye(len(level), dtype=torch.bool, device=level.device)
    share = torch.log_softmax(alike.masked_fill(itself, -torch.inf), -1)
    mates = (targets[:, None] == targets[None, :]) & ~itself
    found = -share.masked_fill(~mates, 0.0).sum(-1)
    return found / mates.sum(-1).clamp(min=1)
