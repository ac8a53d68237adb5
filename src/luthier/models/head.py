"""Heads: an output layer, its per-example loss, and how to read an answer back."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.labels import LabelSet
from luthier.models.losses import Losses
from luthier.models.network import Network


class Head(Protocol):
    """What a network is trained to answer."""

    @property
    def task(self) -> Task:
        """What is answered."""

    @property
    def labels(self) -> LabelSet:
        """The label set; empty for tasks without one."""

    def output_layer(self, width: int) -> nn.Module | None:
        """A fresh output layer on hidden states of `width`, or None for the model's own."""

    def losses(self, network: Network, batch: Batch) -> Losses:
        """The loss of each example."""

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """One array per example: probabilities (C,), a value (1,), tag probabilities (T, C),
        nats and tokens of a text (2,), nats, hidden tokens and right guesses (3,), or the
        log-probability margin of a pair (1,)."""


@runtime_checkable
class ReadsMore(Protocol):
    """A head that needs more of a batch than its vectors, such as its words."""

    def logits(
        self, network: Network, batch: Batch, vectors: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B C"]:
        """Class scores; slopes flow through the vectors alone."""
