"""Training on the worst small disturbance of hidden states, beside the plain rows."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.data.feed.batch import Batch
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.safety.objectives.ascent import Disturbance, ascend
from luthier.train.step import Objective


@dataclass(frozen=True)
class BallObjective:
    """Plain loss and the loss at the end of the ascent, mixed as 1 to `weight`.

    With several layers or an upper one this is training of one layer or of the residual stream.

    Source: Madry et al. 2018, equation 2.1; Casper et al. 2024, "Latent adversarial training".
    """

    inner: Objective
    how: Disturbance
    weight: float = 1.0

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        """The mixed losses (B,)."""
        plain = self.inner(network, batch)
        shift = ascend(self.inner, network, batch, self.how)
        with shift.applied(network, batch):
            hard = self.inner(network, batch)
        mixed = (plain.per_example + self.weight * hard.per_example) / (1 + self.weight)
        return Losses(mixed, plain.weights, plain.decomposes)
