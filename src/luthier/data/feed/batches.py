"""Which rows make up update number s: a pure function of seed and step, so resuming is exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.batch import Batch, LogicalBatch
from luthier.data.feed.encode import Encoded
from luthier.data.feed.ragged import Ragged


class BatchSource(Protocol):
    """Logical batches by step number."""

    steps_per_epoch: int

    def at(self, step: int) -> LogicalBatch:
        """The batch of update `step`, always the same one."""


@dataclass(frozen=True)
class BatchPlan:
    """How examples become batches.

    `micro_rows` and `micro_tokens` bound a forward pass; `bucket` groups similar lengths;
    `pack` puts several rows into one sequence of at most `pack_tokens`.
    """

    batch_size: int
    seed: int
    pad_id: int
    micro_rows: int | None = None
    micro_tokens: int = 16384
    bucket: bool = True
    pack_tokens: int | None = None


class EpochBatches:
    """Shuffled epochs over the examples `chosen` of an encoded table."""

    def __init__(
        self,
        encoded: Encoded,
        chosen: NDArray[np.int64],
        plan: BatchPlan,
        hidden: Ragged | None = None,
        reference: NDArray[np.float32] | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._encoded, self._chosen, self.plan = encoded, chosen, plan
        self._hidden, self._reference = hidden, reference
        self._rank, self._processes = share
        self.lengths = encoded.lengths
        self._epoch = -1
        self._order: list[NDArray[np.int64]] = []
        self.steps_per_epoch = max(1, -(-len(chosen) // plan.batch_size))

    def at(self, step: int) -> LogicalBatch:
        """The batch of update `step`; the last one of an epoch may be smaller."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._order = self._shuffled(epoch)
            self._epoch = epoch
        return self.logical(self._order[place], epoch)

    def logical(self, examples: NDArray[np.int64], epoch: int = 0) -> LogicalBatch:
        """These examples as one logical batch, of which this process holds its share.

        The weight is that of all processes together, so every one divides by the same number.
        """
        own = examples[self._rank :: self._processes]
        micro = [self.collate(part, epoch) for part in self._cut(own)]
        weight = float(self._encoded.weights[examples].astype(np.float64).sum())
        return LogicalBatch(tuple(micro), weight, self._spare(examples))

    def _spare(self, examples: NDArray[np.int64]) -> Batch | None:
        if self._processes == 1:
            return None
        one = self.collate(examples[:1])
        return replace(one, weights=torch.zeros_like(one.weights))

    def collate(self, examples: NDArray[np.int64], epoch: int = 0) -> Batch:
        """One micro-batch; what is hidden of a text is drawn anew in each epoch."""
        if self._encoded.masking is not None:
            return masked(self._encoded, examples, self.plan, epoch)
        return collate(self._encoded, examples, self.plan, self._hidden, self._reference)

    def _shuffled(self, epoch: int) -> list[NDArray[np.int64]]:
        random = np.random.default_rng(derive(self.plan.seed, "order", epoch))
        order = random.permutation(self._chosen)
        size = self.plan.batch_size
        if self.plan.bucket:
            # Sorting within windows of 50 batches keeps the order random and the padding small.
            window = 50 * size
            parts = [order[i : i + window] for i in range(0, len(order), window)]
            order = np.concatenate([p[np.argsort(self.lengths[p], kind="stable")] for p in parts])
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        if self.plan.bucket:
            batches = [batches[i] for i in random.permutation(len(batches))]
        return batches

    def _cut(self, examples: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Micro-batches of similar length under the row and token bounds."""
        ordered = examples[np.argsort(self.lengths[examples], kind="stable")]
        parts: list[NDArray[np.int64]] = []
        first = 0
        sides = 2 if self._encoded.task is Task.PREFER else 1
        for place in range(1, len(ordered) + 1):
            rows = place - first
            full = self.plan.micro_rows is not None and rows >= self.plan.micro_rows
            if place < len(ordered):
                after = (rows + 1) * sides * int(self.lengths[ordered[place]])
                full = full or after > self.plan.micro_tokens
            if full or place == len(ordered):
                parts.append(ordered[first:place])
                first = place
        return parts


def sequential(
    encoded: Encoded, examples: NDArray[np.int64], plan: BatchPlan, rows: int = 64
) -> Sequence[NDArray[np.int64]]:
    """Example numbers in batches of similar length, for passes without training."""
    ordered = examples[np.argsort(encoded.lengths[examples], kind="stable")]
    parts, first = [], 0
    for place in range(1, len(ordered) + 1):
        grown = place - first
        longest = int(encoded.lengths[ordered[min(place, len(ordered) - 1)]])
        if grown >= rows or place == len(ordered) or (grown + 1) * longest > plan.micro_tokens:
            parts.append(ordered[first:place])
            first = place
    return parts


def collate(
    encoded: Encoded,
    examples: NDArray[np.int64],
    plan: BatchPlan,
    hidden: Ragged | None = None,
    reference: NDArray[np.float32] | None = None,
) -> Batch:
    """Padded tensors of some examples, or packed ones when the plan says so."""
    if encoded.masking is not None:
        return masked(encoded, examples, plan)
    sequences = examples
    if encoded.task is Task.PREFER:
        sequences = np.stack([2 * examples, 2 * examples + 1], 1).reshape(-1)
    if plan.pack_tokens is not None and encoded.task in (Task.INSTRUCT, Task.ADAPT):
        from luthier.data.feed.pack import packed

        return packed(encoded, examples, plan.pack_tokens, plan.pad_id)
    parts = [encoded.ids[int(i)] for i in sequences]
    longest = max(map(len, parts))
    ids = np.full((len(parts), longest), plan.pad_id, np.int64)
    mask = np.zeros((len(parts), longest), np.int64)
    for place, part in enumerate(parts):
        ids[place, : len(part)] = part
        mask[place, : len(part)] = 1
    return Batch(
        ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        rows=torch.from_numpy(encoded.rows[examples]),
        weights=torch.from_numpy(encoded.weights[examples]),
        targets=_targets(encoded, examples, longest),
        learn=_padded(encoded.learn, sequences, longest, 0),
        hidden=_hidden(hidden, sequences, longest),
        reference=None if reference is None else torch.from_numpy(reference[examples]),
    )


def masked(
    encoded: Encoded, examples: NDArray[np.int64], plan: BatchPlan, epoch: int | None = None
) -> Batch:
    """Padded tensors with tokens hidden; `targets` are the tokens as they were.

    The masks of an example are drawn from the plan's seed, the epoch and the example alone, and
    without an epoch they are the fixed ones.
    """
    assert encoded.masking is not None
    parts = [encoded.ids[int(i)] for i in examples]
    longest = max(map(len, parts))
    ids = np.full((len(parts), longest), plan.pad_id, np.int64)
    mask, learn, targets = np.zeros_like(ids), np.zeros_like(ids), np.full_like(ids, -100)
    for place, (example, part) in enumerate(zip(examples, parts, strict=True)):
        if epoch is None:
            hidden = encoded.masking.fixed(part)
        else:
            seed = derive(plan.seed, "mask", epoch, int(example))
            hidden = encoded.masking.drawn(part, seed)
        stop = len(part)
        ids[place, :stop], learn[place, :stop] = hidden.ids, hidden.learn
        mask[place, :stop], targets[place, :stop] = 1, part
    return Batch(
        ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        rows=torch.from_numpy(encoded.rows[examples]),
        weights=torch.from_numpy(encoded.weights[examples]),
        targets=torch.from_numpy(targets),
        learn=torch.from_numpy(learn),
    )


def _targets(encoded: Encoded, examples: NDArray[np.int64], longest: int) -> torch.Tensor | None:
    if encoded.targets is None:
        return None
    if isinstance(encoded.targets, Ragged):
        return _padded(encoded.targets, examples, longest, -100)
    return torch.from_numpy(np.ascontiguousarray(encoded.targets[examples]))


def _padded(
    ragged: Ragged | None, indices: NDArray[np.int64], longest: int, fill: int
) -> torch.Tensor | None:
    if ragged is None:
        return None
    out = np.full((len(indices), longest), fill, np.int64)
    for place, index in enumerate(indices):
        part = ragged[int(index)]
        out[place, : len(part)] = part
    return torch.from_numpy(out)


def _hidden(hidden: Ragged | None, indices: NDArray[np.int64], longest: int) -> torch.Tensor | None:
    if hidden is None:
        return None
    out = np.zeros((len(indices), longest, hidden.values.shape[1]), np.float32)
    for place, index in enumerate(indices):
        part = hidden[int(index)]
        out[place, : len(part)] = part
    return torch.from_numpy(out)
