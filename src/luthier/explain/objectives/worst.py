"""Losses in which the group of a batch that is answered worst counts most."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from luthier.data.feed.batch import Batch
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.train.step import Objective


@dataclass(frozen=True)
class WorstGroup:
    """Each group of a batch counts by the exponential of its mean loss times `pull`.

    `groups` are group numbers by row of the table. The published method carries the weights of
    groups from update to update; here they follow from the batch alone, so that stopping and going
    on stays equal to the bit. With `pull` 0 these are the inner losses.

    Source: Sagawa et al. 2020, "Distributionally Robust Neural Networks for Group Shifts",
    algorithm 1.
    """

    inner: Objective
    groups: Int[Tensor, " N"]
    pull: float

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        """The losses (B,), each times the weight of its group."""
        losses = self.inner(network, batch)
        group = self.groups.to(batch.rows.device)[batch.rows]
        share = group_weights(losses.per_example.detach(), group, self.pull)
        return replace(losses, per_example=losses.per_example * share, decomposes=False)


def group_weights(
    losses: Float[Tensor, " B"], group: Int[Tensor, " B"], pull: float
) -> Float[Tensor, " B"]:
    """The weight of each row's group (B,); their mean over the rows is 1."""
    _, places, counts = torch.unique(group, return_inverse=True, return_counts=True)
    means = losses.new_zeros(len(counts)).index_add(0, places, losses) / counts
    weights: Tensor = torch.exp(pull * (means - means.max()))[places]
    return weights / weights.mean()
