"""One class, or several, per text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.labels import LabelSet
from luthier.models.losses import Losses
from luthier.models.network import Network


@dataclass(frozen=True)
class ClassifyHead:
    """Exactly one class; softmax cross-entropy."""

    labels: LabelSet
    task: Task = Task.CLASSIFY

    def output_layer(self, width: int) -> nn.Module:
        """A linear layer to C scores."""
        return nn.Linear(width, len(self.labels.names))

    def losses(self, network: Network, batch: Batch) -> Losses:
        """Cross-entropy per row."""
        assert batch.targets is not None
        scores = network(batch).float()
        return Losses(cross_entropy(scores, batch.targets, reduction="none"), batch.weights)

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """Class probabilities (C,) per row."""
        return list(torch.softmax(network(batch).float(), -1).cpu().numpy())


@dataclass(frozen=True)
class MultilabelHead:
    """Any number of classes; independent binary cross-entropies, averaged over classes."""

    labels: LabelSet
    task: Task = Task.MULTILABEL

    def output_layer(self, width: int) -> nn.Module:
        """A linear layer to C scores."""
        return nn.Linear(width, len(self.labels.names))

    def losses(self, network: Network, batch: Batch) -> Losses:
        """Mean binary cross-entropy per row."""
        assert batch.targets is not None
        scores = network(batch).float()
        each = binary_cross_entropy_with_logits(scores, batch.targets, reduction="none")
        return Losses(each.mean(1), batch.weights)

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """Probability of each class (C,) per row."""
        return list(torch.sigmoid(network(batch).float()).cpu().numpy())
