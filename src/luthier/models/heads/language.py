"""Text as the answer: instruction tuning, continued pretraining and preference tuning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.labels import LabelSet
from luthier.models.losses import Losses, chunked_nll, sum_by_row, whole_nll
from luthier.models.network import Network

_RESCALED = ("final_logit_softcapping", "logit_scale", "logits_scaling")


def plain_unembedding(network: Network) -> str | None:
    """Why logits are not simply h W^T + b for this model, or None when they are."""
    config = network.plain.config
    for name in _RESCALED:
        if getattr(config, name, None) not in (None, 1.0):
            return f"the model rescales its logits ({name})"
    if not isinstance(network.unembedding, nn.Linear):
        return "the output layer is no plain linear layer"
    return None


def token_nll(
    network: Network, batch: Batch, chunked: bool = True
) -> tuple[Float[Tensor, " S"], Int[Tensor, " S"]]:
    """Negative log-likelihood in nats of every supervised token, and the place of its sequence.

    In a packed batch the place is that of the row in the batch.
    """
    assert batch.learn is not None
    learn = batch.learn[:, 1:] > 0
    if batch.positions is not None:
        # The first token of a packed row has nothing before it to be predicted from.
        learn = learn & (batch.positions[:, 1:] > 0)
    where = learn.nonzero(as_tuple=True)
    target = batch.ids[:, 1:][where]
    owner = where[0] if batch.segments is None else batch.segments[:, 1:][where]
    if chunked:
        # Prompt positions never meet the vocabulary: only supervised ones are multiplied out.
        hidden = network.hidden(batch)[:, :-1][where]
        layer = network.unembedding
        return chunked_nll(hidden, layer.weight, layer.bias, target), owner
    extra = {} if batch.positions is None else {"position_ids": batch.positions}
    logits = network.plain(
        input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, **extra
    ).logits
    return whole_nll(logits[:, :-1][where], target), owner


@dataclass(frozen=True)
class LanguageHead:
    """Mean negative log-likelihood of the supervised tokens of each row."""

    task: Task = Task.INSTRUCT
    chunked: bool = True
    labels: LabelSet = field(default_factory=lambda: LabelSet(()))

    def output_layer(self, width: int) -> None:
        """None: the model's own output layer is used."""

    def losses(self, network: Network, batch: Batch) -> Losses:
        """Mean nats per supervised token of each row; rows weigh by their tokens."""
        nll, owner = token_nll(network, batch, self.chunked)
        rows = len(batch.rows)
        count = sum_by_row(torch.ones_like(nll), owner, rows).clamp(min=1)
        return Losses(sum_by_row(nll, owner, rows) / count, batch.weights)

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """Nats and supervised tokens (2,) of each row."""
        nll, owner = token_nll(network, batch, self.chunked)
        rows = len(batch.rows)
        sums = torch.stack(
            [sum_by_row(nll, owner, rows), sum_by_row(torch.ones_like(nll), owner, rows)]
        )
        return list(sums.T.cpu().numpy())


@dataclass(frozen=True)
class PreferHead:
    """Prefers one answer to another.

    DPO (Rafailov et al. 2023, equation 7) needs `batch.reference`, the margin of the untouched
    model; ORPO (Hong et al. 2024, equation 6) needs none.
    """

    objective: Literal["dpo", "orpo"] = "dpo"
    beta: float = 0.1
    chunked: bool = True
    task: Task = Task.PREFER
    labels: LabelSet = field(default_factory=lambda: LabelSet(()))

    def output_layer(self, width: int) -> None:
        """None: the model's own output layer is used."""

    def losses(self, network: Network, batch: Batch) -> Losses:
        """The preference loss of each pair."""
        chosen, rejected, length_chosen, length_rejected = self._pairs(network, batch)
        if self.objective == "orpo":
            mean_chosen, mean_rejected = chosen / length_chosen, rejected / length_rejected
            odds = _log_odds(mean_chosen) - _log_odds(mean_rejected)
            return Losses(-mean_chosen - self.beta * logsigmoid(odds), batch.weights)
        assert batch.reference is not None
        gain = chosen - rejected - batch.reference
        return Losses(-logsigmoid(self.beta * gain), batch.weights)

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """log p(chosen) - log p(rejected), summed over tokens (1,), per pair."""
        chosen, rejected, _, _ = self._pairs(network, batch)
        return list((chosen - rejected).unsqueeze(1).cpu().numpy())

    def _pairs(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        nll, owner = token_nll(network, batch, self.chunked)
        sequences = len(batch.ids)
        chance = -sum_by_row(nll, owner, sequences)
        length = sum_by_row(torch.ones_like(nll), owner, sequences).clamp(min=1)
        return chance[0::2], chance[1::2], length[0::2], length[1::2]


def _log_odds(mean_log_chance: Tensor) -> Tensor:
    # log(p / (1 - p)) from log p; p below one by a hair keeps the logarithm finite.
    p = mean_log_chance.clamp(max=-1e-6)
    return p - torch.log1p(-torch.exp(p))
