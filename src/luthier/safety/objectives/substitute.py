"""Training on words exchanged for the neighbours that hurt most, by one gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from luthier.data.feed.batch import Batch
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.safety.objectives.ascent import frozen, padded
from luthier.train.step import Objective


@dataclass(frozen=True)
class Substitute:
    """Some rows of a batch with words exchanged for near ones, the others as they are.

    A row is changed with chance `weight / (1 + weight)`, so the expected loss is the mean of plain
    and changed loss in that proportion, at the price of one extra pass over the changed rows only.
    `share` of a row's words are exchanged, at least one, none at `share` 0. `near` (V, K) are the
    neighbours of each token, itself where it has none; `inside` (V,) tokens that continue a word.

    Source: Ebrahimi et al. 2018, "HotFlip", equation 5, with neighbours as the only candidates;
    Yoo and Qi 2021, "Towards Improving Adversarial Training of NLP Models", section 3.
    """

    inner: Objective
    near: Tensor
    inside: Tensor
    share: float = 0.25
    weight: float = 1.0

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        """The losses of the mixed batch (B,)."""
        if self.share == 0 or self.weight == 0:
            return self.inner(network, batch)
        dice = [_dice(int(row)) for row in batch.rows]
        coins = torch.tensor([float(torch.rand((), generator=d)) for d in dice])
        chosen = torch.nonzero(coins < self.weight / (1 + self.weight)).flatten()
        if len(chosen) == 0:
            return self.inner(network, batch)
        chosen = chosen.to(batch.ids.device)
        part = _rows(batch, chosen)
        slopes = self._slopes(network, part)
        ids = batch.ids.clone()
        changed = self._exchanged(network, part, slopes, [dice[int(i)] for i in chosen])
        ids[chosen, : changed.shape[1]] = changed
        return self.inner(network, replace(batch, ids=ids))

    def _slopes(self, network: Network, batch: Batch) -> Tensor:
        """Gradient of the loss along the input embeddings (B, T, D)."""
        kept: list[Tensor] = []

        def keep(module: Any, given: Any, out: Tensor) -> Tensor:
            kept.append(out.detach().requires_grad_(True))
            return kept[-1]

        handle = network.backbone.get_input_embeddings().register_forward_hook(keep)
        try:
            with frozen(network):
                losses = self.inner(network, batch)
                (found,) = torch.autograd.grad(losses.per_example.sum(), kept[0])
        finally:
            handle.remove()
        return padded(batch, found)

    def _exchanged(
        self, network: Network, batch: Batch, slopes: Tensor, dice: list[torch.Generator]
    ) -> Tensor:
        weight: Tensor = network.backbone.get_input_embeddings().weight.detach()
        near = self.near[batch.ids]
        gains = (torch.einsum("btkd,btd->btk", weight[near], slopes)).float()
        best, which = gains.max(-1)
        best = best - torch.einsum("btd,btd->bt", weight[batch.ids], slopes).float()
        swap = near.gather(-1, which.unsqueeze(-1)).squeeze(-1)
        may = self._may(batch) & (swap != batch.ids)
        ids = batch.ids.clone()
        for row, die in enumerate(dice):
            places = torch.nonzero(may[row]).flatten()
            most = max(1, round(self.share * int(self._words(batch, row))))
            # A random half keeps the same few words from being exchanged every time.
            tried = places[torch.randperm(len(places), generator=die)[: max(1, len(places) // 2)]]
            worst = tried[best[row, tried].argsort(descending=True)[:most]]
            ids[row, worst] = swap[row, worst]
        return ids

    def _may(self, batch: Batch) -> Tensor:
        """Tokens (B, T) that are a whole word by themselves."""
        following = torch.zeros_like(batch.ids, dtype=torch.bool)
        following[:, :-1] = self.inside[batch.ids[:, 1:]]
        real = torch.ones_like(following) if batch.mask is None else batch.mask > 0
        return real & ~following & ~self.inside[batch.ids]

    def _words(self, batch: Batch, row: int) -> Tensor:
        real = batch.ids[row] if batch.mask is None else batch.ids[row][batch.mask[row] > 0]
        return (~self.inside[real]).sum()


def _dice(row: int) -> torch.Generator:
    """Random numbers of a row in this update, the same however the batch is cut."""
    made = torch.Generator()
    made.manual_seed((torch.initial_seed() + 0x9E3779B97F4A7C15 * (row + 1)) % (1 << 63))
    return made


def _rows(batch: Batch, chosen: Tensor) -> Batch:
    """Some rows of a batch, cut to the longest of them."""
    mask = None if batch.mask is None else batch.mask[chosen]
    width = batch.ids.shape[1] if mask is None else int(mask.sum(1).max())
    targets = batch.targets
    return replace(
        batch,
        ids=batch.ids[chosen][:, :width],
        mask=None if mask is None else mask[:, :width],
        rows=batch.rows[chosen],
        weights=batch.weights[chosen],
        targets=None if targets is None else targets[chosen],
    )
