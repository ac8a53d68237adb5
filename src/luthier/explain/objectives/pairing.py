"""Losses beside a distance between the scores of a row and its partner in the batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from luthier.data.feed.batch import Batch
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.train.step import Objective


@dataclass(frozen=True)
class Pairing:
    """The inner losses, and for every row with a partner their distance times `strength`.

    Partners are rows of weight 0 behind the batch's own, from the same row of the table. The
    scores are heard while the inner objective runs, so nothing is computed twice.
    """

    inner: Objective
    strength: float

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        """The losses (B,)."""
        heard: list[Tensor] = []

        def hear(module: Any, args: Any, scores: Tensor) -> None:
            heard.append(scores)

        assert network.output is not None
        handle = network.output.register_forward_hook(hear)
        try:
            losses = self.inner(network, batch)
        finally:
            handle.remove()
        apart = distances(heard[-1].float(), batch.rows, losses.weights)
        return replace(losses, per_example=losses.per_example + self.strength * apart)


def distances(
    scores: Float[Tensor, "B C"], rows: Tensor, weights: Float[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """How far each row of weight is from its partners (B,): the mean of their squared distances,
    0 without one. For two classes it is the square of the margins' difference.

    A row of weight 0 is a partner of the row with its number.
    """
    level = scores - scores.mean(1, keepdim=True)
    partner = weights == 0
    found = scores.new_zeros(len(scores))
    if not bool(partner.any()):
        return found
    same = (rows[:, None] == rows[None, :]) & ~partner[:, None] & partner[None, :]
    squares = 2 * (level[:, None, :] - level[None, :, :]).square().sum(2)
    counts = same.sum(1)
    return torch.where(counts > 0, (squares * same).sum(1) / counts.clamp(min=1), found)
