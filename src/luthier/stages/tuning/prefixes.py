"""What the frozen layers make of each row, kept once per depth for all trials of a search."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from luthier.core.progress import Silence
from luthier.data.feed.ragged import Ragged
from luthier.models.adapter import lowest_trained
from luthier.stages.parts.prefix import keep_prefix
from luthier.stages.workshop import Workshop


@dataclass
class Prefixes:
    """Hidden states of all training and validation rows, by the layer that they enter."""

    made: dict[int, Ragged] = field(default_factory=dict)

    def of(self, shop: Workshop, folder: Path) -> Ragged | None:
        """Those for a trial's depth, made in `folder` at first use; None where nothing may be kept.
        The trial's network is cut there."""
        if not shop.legal["prefix_cache"].on:
            return None
        below = lowest_trained(shop.adapter, shop.network.stack)
        if below not in self.made:
            self.made[below] = self._run(shop, below, folder / f"prefix-{below}")
        shop.network.cut_below(below)
        return self.made[below]

    def _run(self, shop: Workshop, below: int, place: Path) -> Ragged:
        """From the nearest kept ones under it, so that no layer is run twice."""
        splits = shop.prepared.splits
        both = np.concatenate([shop.part(splits.train), shop.part(splits.validation)])
        exam = shop.exam(shop.encoded, both)
        under = max((b for b in self.made if b < below), default=None)
        if under is not None:
            shop.network.cut_below(under)
            exam = replace(exam, hidden=self.made[under])
        return keep_prefix(shop.network, exam, below, place, Silence())
