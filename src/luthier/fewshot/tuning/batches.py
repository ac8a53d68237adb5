"""Batches in which several rows share a class, as contrastive losses need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.batch import LogicalBatch
from luthier.data.feed.batches import BatchPlan, collate
from luthier.data.feed.encode import Encoded
from luthier.data.feed.ragged import Ragged

ROWS_PER_CLASS = 4
"""Rows of one class that stand together in a batch."""


class ClassBatches:
    """Each row once per epoch, beside up to three others of its class.

    What is kept is one number per row: no pairs are built, so memory grows with the rows.
    """

    def __init__(self, encoded: Encoded, plan: BatchPlan, hidden: Ragged | None = None) -> None:
        assert isinstance(encoded.targets, np.ndarray)
        self._encoded, self._plan, self._hidden = encoded, plan, hidden
        self._truth = encoded.targets
        self._epoch, self._order = -1, list[NDArray[np.int64]]()
        self.steps_per_epoch = len(self._drawn(0))

    def at(self, step: int) -> LogicalBatch:
        """The batch of update `step`, always the same one."""
        epoch, place = step // self.steps_per_epoch, step % self.steps_per_epoch
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._drawn(epoch)
        examples = self._order[place]
        batch = collate(self._encoded, examples, self._plan, self._hidden)
        weight = float(self._encoded.weights[examples].astype(np.float64).sum())
        # A contrastive loss looks at its neighbours: the batch stays in one piece.
        return LogicalBatch((batch,), weight)

    def _drawn(self, epoch: int) -> list[NDArray[np.int64]]:
        """Places of the rows of each batch; always as many batches, whatever the epoch."""
        random = np.random.default_rng(derive(self._plan.seed, "classes", epoch))
        groups = []
        for number in np.unique(self._truth):
            rows = random.permutation(np.flatnonzero(self._truth == number))
            groups += np.array_split(rows, -(-len(rows) // ROWS_PER_CLASS))
        mixed = [groups[int(i)] for i in random.permutation(len(groups))]
        count = max(1, round(len(self._truth) / self._plan.batch_size))
        parts = np.array_split(np.arange(len(mixed)), min(count, len(mixed)))
        return [np.concatenate([mixed[int(i)] for i in part]) for part in parts]


def labelled(ids: Ragged, truth: NDArray[np.int64], weights: NDArray[np.float64]) -> Encoded:
    """Token sequences with their class numbers (N,) and weights (N,)."""
    return Encoded(
        Task.CLASSIFY, ids, np.arange(len(ids)), weights.astype(np.float32), targets=truth
    )
