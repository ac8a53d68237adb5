"""An answer learnt against answers to other rows, which are wrong here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.labels import LabelSet
from luthier.models.heads.language import LanguageHead, token_nll
from luthier.models.losses import Losses, sum_by_row
from luthier.models.network import Network

OPTIONS = 2
"""Wrong answers that each row is learnt against, as far as its batch has others."""
SURE = 1e-6
"""So far from certain a wrong token is taken to be at least, that its loss is finite."""


@dataclass(frozen=True)
class AgainstOthers:
    """The likelihood of the answer, the unlikelihood of answers to other rows of the batch, and
    that the answer's mean log-likelihood per token beats theirs.

    A row with several turns, or without another answer beside it, has the first part alone.
    `longest` is how many tokens the model reads. Batches are neither packed nor read from a kept
    prefix.

    Source: Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than
    In-Context Learning", section 3.2 (equations 1 to 3).
    """

    inner: LanguageHead
    pad: int
    longest: int

    @property
    def task(self) -> Task:
        """The inner head's."""
        return self.inner.task

    @property
    def labels(self) -> LabelSet:
        """None."""
        return self.inner.labels

    def output_layer(self, width: int) -> None:
        """None: the model's own output layer is used."""

    def scores(self, network: Network, batch: Batch) -> list[NDArray[np.float32]]:
        """The inner head's: nats and supervised tokens (2,) of each row."""
        return self.inner.scores(network, batch)

    def losses(self, network: Network, batch: Batch) -> Losses:
        """The sum of the three parts for each row (B,), in nats per token."""
        plain = self.inner.losses(network, batch)
        wrong, owner = others(batch, self.pad, self.longest)
        if wrong is None:
            return replace(plain, decomposes=False)
        nll, place = token_nll(network, wrong, self.inner.chunked)
        count = sum_by_row(torch.ones_like(nll), place, len(owner)).clamp(min=1)
        unlikely = -torch.log1p(-torch.exp(-nll.clamp(min=SURE)))
        rows = len(batch.rows)
        tokens = sum_by_row(count, owner, rows).clamp(min=1)
        against = sum_by_row(sum_by_row(unlikely, place, len(owner)), owner, rows) / tokens
        means = -sum_by_row(nll, place, len(owner)) / count
        better = _beaten(-plain.per_example, means, owner)
        return Losses(plain.per_example + against + better, plain.weights, decomposes=False)


def _beaten(
    right: Float[Tensor, " B"], wrong: Float[Tensor, " M"], owner: Tensor
) -> Float[Tensor, " B"]:
    """-log of the right answer's share among its options, by mean log-likelihood."""
    shares = torch.exp(wrong - right[owner])
    return torch.log1p(sum_by_row(shares, owner, len(right)))


def others(batch: Batch, pad: int, longest: int) -> tuple[Batch | None, Tensor]:
    """Each row's question with answers of other rows (M, T), and whose question it is (M,);
    None where no row has another answer beside it."""
    assert batch.learn is not None and batch.segments is None and batch.hidden is None
    device = batch.ids.device
    parts = [_parts(batch, row) for row in range(len(batch.ids))]
    made, owner = [], []
    for row, (question, answer) in enumerate(parts):
        found: list[list[int]] = []
        for step in range(1, len(parts)):
            other = parts[(row + step) % len(parts)][1]
            fits = len(question) + len(other) <= longest
            if question and other and other != answer and other not in found and fits:
                found.append(other)
            if len(found) == OPTIONS:
                break
        made += [(question, option) for option in found]
        owner += [row] * len(found)
    whose = torch.tensor(owner, dtype=torch.long, device=device)
    if not made:
        return None, whose
    width = max(len(question) + len(option) for question, option in made)
    ids = torch.full((len(made), width), pad)
    mask, learn = torch.zeros_like(ids), torch.zeros_like(ids)
    for line, (question, option) in enumerate(made):
        end = len(question) + len(option)
        ids[line, :end] = torch.tensor([*question, *option])
        mask[line, :end] = 1
        learn[line, len(question) : end] = 1
    wrong = Batch(ids, mask, batch.rows.cpu()[whose.cpu()], torch.ones(len(made)), learn=learn)
    return wrong.to(str(device)), whose


def _parts(batch: Batch, row: int) -> tuple[list[int], list[int]]:
    """A row's question and answer; nothing where there are several turns."""
    assert batch.learn is not None
    learnt = batch.learn[row].nonzero().flatten()
    if not len(learnt) or not int(learnt[0]) or int(learnt[-1] - learnt[0]) + 1 != len(learnt):
        return [], []
    start, end = int(learnt[0]), int(learnt[-1]) + 1
    return batch.ids[row, :start].tolist(), batch.ids[row, start:end].tolist()
