"""FreeLB: every step of the ascent is trained on, not only its end."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from luthier.data.feed.batch import Batch
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.safety.objectives.ascent import (
    Disturbance,
    Shift,
    entered,
    lengths_of,
    project,
    slopes_at,
    unit,
)
from luthier.train.step import Objective


@dataclass(frozen=True)
class FreeLB:
    """The mean of the losses along an ascent of `how.steps` steps.

    The published method starts from a random point and takes both gradients from one backward
    pass; here it starts from none and the ascent has its own pass, so that an example's loss
    stays its own and private gradients can be taken of it.

    Source: Zhu et al. 2020, "FreeLB", algorithm 1.
    """

    inner: Objective
    how: Disturbance

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        """The mean losses (B,)."""
        states = entered(network, batch, self.how.layers)
        bounds = {k: self.how.radius * lengths_of(s, batch.mask) for k, s in states.items()}
        deltas = {k: torch.zeros_like(s) for k, s in states.items()}
        rate = self.how.rate or 1.0 / self.how.steps
        found = [self.inner(network, batch)]
        for _ in range(self.how.steps):
            slopes = slopes_at(self.inner, network, batch, deltas)
            deltas = {
                k: project(deltas[k] + rate * bounds[k] * unit(slopes[k]), bounds[k])
                for k in deltas
            }
            with Shift(deltas).applied(network, batch):
                found.append(self.inner(network, batch))
        mean = torch.stack([losses.per_example for losses in found]).mean(0)
        return Losses(mean, found[0].weights, found[0].decomposes)
