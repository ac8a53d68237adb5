"""Virtual adversarial training: the answer must not change nearby, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from luthier.data.feed.batch import Batch
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.safety.objectives.ascent import (
    Disturbance,
    Shift,
    entered,
    frozen,
    lengths_of,
    unit,
)
from luthier.train.step import Objective

PROBE = 0.01
"""Length of the first random disturbance relative to the hidden states."""


@dataclass(frozen=True)
class Virtual:
    """Plain loss, and `weight` times how far the answer moves in the worst direction found.

    Needs class scores. One power iteration finds the direction, from a start drawn by row.

    Source: Miyato et al. 2017, "Adversarial Training Methods for Semi-Supervised Text
    Classification", section 3, equations 6 to 8.
    """

    inner: Objective
    how: Disturbance
    weight: float = 1.0

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        """Losses (B,)."""
        plain = self.inner(network, batch)
        (layer,) = self.how.layers
        state = entered(network, batch, self.how.layers)[layer]
        length = lengths_of(state, batch.mask)
        with frozen(network):
            with torch.no_grad():
                answer = log_softmax(network(batch).float(), -1)
            start = (PROBE * length * unit(_drawn(batch, state))).requires_grad_(True)
            with Shift({layer: start}).applied(network, batch):
                moved = _apart(answer, network(batch))
            (slope,) = torch.autograd.grad(moved.sum(), start)
        worst = self.how.radius * length * unit(slope)
        with Shift({layer: worst.detach()}).applied(network, batch):
            moved = _apart(answer, network(batch))
        return Losses(plain.per_example + self.weight * moved, plain.weights, plain.decomposes)


def _apart(answer: Tensor, scores: Tensor) -> Tensor:
    """Divergence of each row's answer from `answer` (B,), in nats."""
    other = log_softmax(scores.float(), -1)
    return kl_div(other, answer, log_target=True, reduction="none").sum(-1)


def _drawn(batch: Batch, state: Tensor) -> Tensor:
    found = torch.zeros_like(state)
    for place, row in enumerate(batch.rows.tolist()):
        tokens = state.shape[1] if batch.mask is None else int(batch.mask[place].sum())
        dice = torch.Generator().manual_seed((torch.initial_seed() + int(row)) % (1 << 63))
        found[place, :tokens] = torch.randn(tokens, state.shape[2], generator=dice).to(state.device)
    return found
