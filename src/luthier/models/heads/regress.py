"""One number per text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import mse_loss

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.labels import LabelSet
from luthier.models.losses import Losses
from luthier.models.network import Network


@dataclass(frozen=True)
class RegressHead:
    """Squared error on values standardised by the training rows' mean and deviation."""

    mean: float = 0.0
    deviation: float = 1.0
    labels: LabelSet = field(default_factory=lambda: LabelSet(()))
    task: Task = Task.REGRESS

    def output_layer(self, width: int) -> nn.Module:
        """A linear layer to one value."""
        return nn.Linear(width, 1)

    def losses(self, network: Network, batch: Batch) -> Losses:
        """Squared error per row, in units of the training variance."""
        assert batch.targets is not None
        wanted = (batch.targets - self.mean) / self.deviation
        found = network(batch).float().squeeze(-1)
        return Losses(mse_loss(found, wanted, reduction="none"), batch.weights)

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """The value (1,) per row, in the unit of the data."""
        values = network(batch).float() * self.deviation + self.mean
        return list(values.cpu().numpy())
