"""Marked parts of a text, by a BIO tag per token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.labels import LabelSet
from luthier.models.losses import Losses
from luthier.models.network import Network


@dataclass(frozen=True)
class TagHead:
    """Softmax cross-entropy per token, averaged over the row's tokens.

    Source: Ramshaw and Marcus 1995 (BIO tags).
    """

    labels: LabelSet
    task: Task = Task.TAG

    def output_layer(self, width: int) -> nn.Module:
        """A linear layer to one score per tag."""
        return nn.Linear(width, len(self.labels.tags))

    def losses(self, network: Network, batch: Batch) -> Losses:
        """Mean cross-entropy per row over tokens that cover text."""
        assert batch.targets is not None
        scores = network.read(network.hidden(batch)).float()
        each = cross_entropy(
            scores.flatten(0, 1), batch.targets.flatten(), ignore_index=-100, reduction="none"
        ).view(batch.targets.shape)
        counted = (batch.targets != -100).sum(1).clamp(min=1)
        return Losses(each.sum(1) / counted, batch.weights)

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """Tag probabilities (T, C) per row, padding cut off."""
        assert batch.mask is not None
        chances = torch.softmax(network.read(network.hidden(batch)).float(), -1).cpu().numpy()
        lengths = batch.mask.sum(1).tolist()
        return [row[:length] for row, length in zip(chances, lengths, strict=True)]
