"""Batches in which every unit takes part by a coin of its own, as private training needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import FixData
from luthier.data.feed.batch import LogicalBatch
from luthier.data.feed.batches import EpochBatches


class PoissonBatches:
    """One logical batch per step: each unit is drawn with the chance `rate`, alone and anew.

    `units` names the unit of every example of `source`; a unit comes with all its examples or
    not at all, and is never split between forward passes. `expected` units are drawn on average,
    a public number. `draw` gives the generator of a step; with secret ones, asking for a step
    twice gives two batches. A batch may be empty.

    Source: Abadi et al. 2016; one draw per step, as the accountant assumes.
    """

    def __init__(
        self,
        source: EpochBatches,
        examples: NDArray[np.int64],
        units: NDArray[np.int64],
        draw: Callable[[int], np.random.Generator],
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._source, self._draw = source, draw
        self._rank, self._processes = share
        order = np.argsort(units, kind="stable")
        cuts = np.flatnonzero(np.diff(units[order])) + 1
        self._units = np.split(examples[order], cuts)
        self.units = len(self._units)
        self.expected = source.plan.batch_size
        if self.expected > len(self._units):
            raise FixData(
                "safety.privacy.batch_size",
                f"{self.expected} units shall be drawn on average and there are {len(self._units)}",
                f"at most {len(self._units)}",
            )
        self.steps_per_epoch = max(1, -(-len(self._units) // self.expected))

    @property
    def rate(self) -> float:
        """The chance of each unit to be drawn."""
        return self.expected / self.units

    def at(self, step: int) -> LogicalBatch:
        """A fresh draw; `weight` is the expected number of units."""
        coins = self._draw(step).random(len(self._units))
        drawn = np.flatnonzero(coins < self.rate)[self._rank :: self._processes]
        epoch = step // self.steps_per_epoch
        micro = [self._source.collate(part, epoch) for part in self._cut(drawn)]
        return LogicalBatch(tuple(micro), float(self.expected))

    def _cut(self, drawn: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Whole units of similar length under the row bound; a larger unit is a pass alone."""
        lengths = self._source.lengths
        longest = [int(lengths[self._units[u]].max()) for u in drawn]
        parts: list[list[NDArray[np.int64]]] = []
        rows = 0
        limit = self._source.plan.micro_rows or max(1, self.expected)
        for place in np.argsort(longest, kind="stable"):
            mine = self._units[drawn[place]]
            grown = rows + len(mine)
            over = grown > limit or grown * longest[place] > self._source.plan.micro_tokens
            if not parts or over:
                parts.append([])
                grown = len(mine)
            parts[-1].append(mine)
            rows = grown
        return [np.concatenate(part) for part in parts]
