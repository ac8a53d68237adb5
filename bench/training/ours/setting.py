"""What every worker of ours begins with: a workshop from a recipe, and one update's parts."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gate import Gate
from numpy.typing import NDArray

from luthier.core.progress import Silence
from luthier.data.feed.batch import LogicalBatch
from luthier.data.feed.batches import BatchSource, EpochBatches
from luthier.recipe.load import recipe_from_dict
from luthier.stages.training import descent
from luthier.stages.workshop import Workshop, set_up
from luthier.train.gradients.plain import PlainGradient
from luthier.train.state import TrainingState
from luthier.train.step import Step
from luthier.train.watcher import Report


def workshop(given: dict[str, Any]) -> Workshop:
    """The product's own set-up for this recipe."""
    torch.set_num_threads(given["threads"])
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    recipe = recipe_from_dict(given["recipe"])
    return set_up(recipe, Path(given["data"]), folder, None, Silence())


def beginning(shop: Workshop) -> tuple[Step, TrainingState]:
    """The default step and a fresh state, as the training stage makes them."""
    step = Step(shop.head.losses, PlainGradient(shop.device), descent(shop))
    state = TrainingState.begin(shop.network, step.update, 0, shop.recipe.fast.base_dropout)
    return step, state


@dataclass
class Picked:
    """Batches of an epoch in another order."""

    source: EpochBatches
    order: list[int]

    @property
    def steps_per_epoch(self) -> int:
        """Batches there are."""
        return len(self.order)

    def at(self, step: int) -> LogicalBatch:
        """The batch with the chosen number."""
        return self.source.at(self.order[step % len(self.order)])


def batch_rows(source: EpochBatches, steps: int) -> list[NDArray[np.int64]]:
    """Table rows of each batch."""
    return [np.concatenate([m.rows.numpy() for m in source.at(step)]) for step in range(steps)]


@dataclass
class Counted:
    """Tells the gate what each batch holds."""

    source: BatchSource
    gate: Gate

    @property
    def steps_per_epoch(self) -> int:
        """As the source."""
        return self.source.steps_per_epoch

    def at(self, step: int) -> LogicalBatch:
        """The batch, counted."""
        batch = self.source.at(step)
        self.gate.count(batch.size, batch.tokens, sum(m.ids.numel() for m in batch))
        return batch


@dataclass
class AtGate:
    """A watcher that keeps training inside windows."""

    gate: Gate

    def begin(self, state: TrainingState) -> None:
        """Waits for the first window."""
        self.gate.wait()

    def after(self, state: TrainingState, report: Report) -> None:
        """One update of the window is done."""
        self.gate.updated()

    def end(self, state: TrainingState) -> None:
        """Nothing to tidy."""
