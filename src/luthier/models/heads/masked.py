"""Hidden words as the answer: continued pretraining of an encoder."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.labels import LabelSet
from luthier.models.losses import Losses, chunked_nll, sum_by_row, whole_nll
from luthier.models.masked import before_output
from luthier.models.network import Network

_CHUNK_ELEMENTS = 4_194_304


@dataclass(frozen=True)
class MaskedHead:
    """Mean negative log-likelihood of the hidden tokens of each row.

    With `chunked`, only hidden positions meet the head and the vocabulary.

    Source: Devlin et al. 2019 (BERT), section 3.1.
    """

    chunked: bool = True
    task: Task = Task.ADAPT
    labels: LabelSet = field(default_factory=lambda: LabelSet(()))

    def output_layer(self, width: int) -> None:
        """None: the model's own head is used."""

    def losses(self, network: Network, batch: Batch) -> Losses:
        """Mean nats per hidden token of each row; rows weigh by their hidden tokens."""
        where, target = _asked(batch)
        if self.chunked:
            layer = network.unembedding
            given = before_output(network.plain, network.hidden(batch)[where])
            nll = chunked_nll(given, layer.weight, layer.bias, target, _CHUNK_ELEMENTS)
        else:
            nll = whole_nll(_all_logits(network, batch)[where], target)
        rows = len(batch.rows)
        count = sum_by_row(torch.ones_like(nll), where[0], rows).clamp(min=1)
        return Losses(sum_by_row(nll, where[0], rows) / count, batch.weights)

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """Nats, hidden tokens, and how many of them were guessed right (3,) of each row."""
        where, target = _asked(batch)
        if self.chunked:
            given = before_output(network.plain, network.hidden(batch)[where])
            nll, right = _judged(network, given, target)
        else:
            logits = _all_logits(network, batch)[where]
            nll, right = whole_nll(logits, target), (logits.argmax(-1) == target).float()
        rows = len(batch.rows)
        parts = [sum_by_row(v, where[0], rows) for v in (nll, torch.ones_like(nll), right)]
        return list(torch.stack(parts, 1).cpu().numpy())


def _asked(batch: Batch) -> tuple[tuple[Tensor, ...], Int[Tensor, " S"]]:
    """Row and position of every hidden token, and the token."""
    assert batch.learn is not None and batch.targets is not None
    where = batch.learn.nonzero(as_tuple=True)
    return where, batch.targets[where]


def _all_logits(network: Network, batch: Batch) -> Float[Tensor, "B T V"]:
    logits: Tensor = network.plain(input_ids=batch.ids, attention_mask=batch.mask).logits
    return logits


def _judged(
    network: Network, given: Float[Tensor, "S E"], target: Int[Tensor, " S"]
) -> tuple[Float[Tensor, " S"], Float[Tensor, " S"]]:
    """Nats per hidden token, and one where the likeliest word is the right one."""
    layer = network.unembedding
    nll, right = torch.empty(len(target), device=given.device), torch.empty_like(target)
    chunk = max(1, _CHUNK_ELEMENTS // len(layer.weight))
    for start in range(0, len(target), chunk):
        part = slice(start, start + chunk)
        logits = layer(given[part])
        nll[part] = whole_nll(logits, target[part])
        right[part] = (logits.argmax(-1) == target[part]).long()
    return nll, right.float()
