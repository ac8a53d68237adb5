"""A classifier of vectors and words as a network's head, so that all ask it like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.labels import LabelSet
from luthier.fewshot.forms.blend import TINY, Adjusted, Blend
from luthier.fewshot.forms.centred import Centred
from luthier.fewshot.forms.layer import Layer
from luthier.fewshot.forms.worded import by_words
from luthier.fewshot.rung import Asked, Fitted
from luthier.fewshot.wording import Wording
from luthier.models.losses import Losses
from luthier.models.network import Network

Reader = Callable[[Sequence[int]], str]
"""The text of tokens."""


def words_of(tokenizer: Any) -> Reader:
    """The text of token numbers, without special tokens."""
    return partial(tokenizer.decode, skip_special_tokens=True)


@dataclass(frozen=True)
class LadderHead:
    """Exactly one class, from a network's pooled vectors and the words of its tokens."""

    labels: LabelSet
    fitted: Fitted
    read: Reader
    wording: Wording | None = None
    task: Task = Task.CLASSIFY

    def output_layer(self, width: int) -> nn.Module | None:
        """None: the classifier is not a layer of the network."""
        return None

    def losses(self, network: Network, batch: Batch) -> Losses:
        """Negative log chance of the true class per row; gradients flow through the vectors."""
        assert batch.targets is not None
        logs = self.logits(network, batch, network.pooled(batch))
        right = logs.gather(1, batch.targets[:, None]).squeeze(1)
        return Losses(-right, batch.weights)

    def logits(self, network: Network, batch: Batch, vectors: Tensor) -> Tensor:
        """Logarithms of the chances (B, C) where the pooled vectors are `vectors` (B, D)."""
        level = vectors.float()
        chances = self._chances(self.fitted, level, self._asked(network, batch, level))
        logs: Tensor = chances.clamp(min=TINY).log()
        return logs

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """Class probabilities (C,) per row."""
        found = self.fitted.probabilities(self._asked(network, batch, network.pooled(batch)))
        return list(np.asarray(found, np.float32))

    def _asked(self, network: Network, batch: Batch, vectors: Tensor) -> Asked:
        """The rows of a batch as rungs see them."""
        assert batch.mask is not None
        rows = zip(batch.ids.tolist(), batch.mask.sum(1).tolist(), strict=True)
        ids = [row[:count] for row, count in rows]
        said = None
        if self.wording is not None and by_words(self.fitted.about()):
            said = self.wording.scores(network, ids)
        known = vectors.detach().float().cpu().numpy()
        return Asked([self.read(row) for row in ids], known, wording=said)

    def _chances(self, fitted: Fitted, vectors: Tensor, asked: Asked) -> Any:
        """The classifier's chances (B, C) as tensors; words are constants."""
        if isinstance(fitted, Centred):
            centre, weights, bias = (
                torch.as_tensor(a, dtype=vectors.dtype, device=vectors.device)
                for a in (fitted.centre, fitted.weights, fitted.bias)
            )
            level: Tensor = normalize(vectors - centre)  # type: ignore[no-untyped-call]
            scores: Tensor = level @ weights.T + bias
            return torch.softmax(scores, -1)
        if isinstance(fitted, Layer):
            weights, bias = (
                torch.as_tensor(a, dtype=vectors.dtype, device=vectors.device)
                for a in (fitted.weights, fitted.bias)
            )
            return torch.softmax(vectors @ weights.T + bias, -1)
        if isinstance(fitted, Blend):
            found = [self._chances(member, vectors, asked) for member in fitted.members]
            return _joined(fitted, torch.stack(found))
        if isinstance(fitted, Adjusted):
            logs = self._chances(fitted.member, vectors, asked).clamp(min=TINY).log()
            shift = torch.as_tensor(fitted.shift, dtype=logs.dtype, device=logs.device)
            return torch.softmax(logs / fitted.temperature + shift, -1)
        fixed = fitted.probabilities(asked)
        return torch.as_tensor(fixed, dtype=vectors.dtype, device=vectors.device)


def _joined(blend: Blend, chances: Tensor) -> Tensor:
    """What `luthier.fewshot.forms.blend.joined` computes, of (M, B, C)."""
    weights = torch.as_tensor(blend.weights, dtype=chances.dtype, device=chances.device)
    if blend.how == "mean":
        mean: Tensor = torch.tensordot(weights / weights.sum(), chances, 1)
        return mean
    logs = chances.clamp(min=TINY).log()
    if blend.how == "powers":
        return torch.softmax(torch.tensordot(weights, logs, 1), -1)
    spreads = logs.std(-1, correction=0, keepdim=True)
    level = (logs - logs.mean(-1, keepdim=True)) / spreads.clamp(min=TINY)
    level = torch.tensordot(weights / weights.sum(), level, 1)
    return torch.softmax(level * spreads.mean(0), -1)
