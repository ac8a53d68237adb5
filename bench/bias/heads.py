"""Repairs of an output layer above kept vectors, by the house's own step, loop and members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.batches import BatchPlan, EpochBatches
from luthier.data.feed.encode import Encoded
from luthier.data.feed.labels import LabelSet
from luthier.data.feed.ragged import Ragged
from luthier.explain.bias.terms import Lexicon
from luthier.explain.repair import Change, Repair, TrainingRows
from luthier.models.heads.classify import ClassifyHead
from luthier.models.network import Network
from luthier.stages.bias.changing import WithPartners
from luthier.train.fit import fit
from luthier.train.gradients.plain import PlainGradient
from luthier.train.schedule import RateSchedule
from luthier.train.state import Budget, TrainingState
from luthier.train.step import Step
from luthier.train.updates.rules import Descent

BATCH, STEPS, RATE = 128, 1200, 1e-2


class OutputLayer(Network):
    """A network whose hidden states are kept: only its output layer is run and trained."""

    def pooled(self, batch: Batch) -> Tensor:
        """The kept vector of each row (B, D)."""
        assert batch.hidden is not None
        return batch.hidden[:, 0]


@dataclass
class Bench:
    """Training rows with their vectors, and vectors of every variant a repair may ask for."""

    rows: TrainingRows
    labels: tuple[str, ...]
    vectors: Any
    lexicon: Lexicon

    def train(
        self, repair: Repair | None, start: Any, seed: int, change: Change | None = None
    ) -> Any:
        """Weights of the output layer: from nothing without `start`, else a repair from there on
        with a sixth of the updates at a third of the rate."""
        change = change or (repair.change(self.rows, self.lexicon, seed) if repair else Change())
        encoded, examples, partners = self._fed(change)
        plan = BatchPlan(BATCH, seed, 0, bucket=False)
        plain = EpochBatches(encoded, examples, plan, self._hidden)
        batches: Any = plain
        if len(partners):
            batches = WithPartners(plain, encoded, examples, partners)
        torch.manual_seed(seed)
        network = OutputLayer(
            nn.Identity(), nn.Linear(self._width, len(self.labels)), "mean", "encoder"
        )
        if start is not None:
            network.output.load_state_dict(start)  # type: ignore[union-attr]
        head = ClassifyHead(LabelSet(self.labels))
        objective = repair.objective(head.losses, change.groups) if repair else head.losses
        steps = STEPS if start is None else STEPS // 6
        rate = RATE if start is None else RATE * 0.3
        step = Step(objective, PlainGradient(), Descent(rate=rate, schedule=RateSchedule(steps)))
        state = TrainingState.begin(network, step.update, seed, base_dropout=False)
        fit(state, step, batches, Budget(steps))
        return {n: t.detach().clone() for n, t in network.output.state_dict().items()}  # type: ignore[union-attr]

    def _fed(self, change: Change) -> tuple[Encoded, np.ndarray, np.ndarray]:
        more = [*change.copies, *change.partners]
        count, source = len(self.rows.texts), np.asarray([v.row for v in more], np.int64)
        texts = [*self.rows.texts, *(v.text for v in more)]
        found = self.vectors(texts).astype(np.float32)
        offsets = np.arange(len(texts) + 1)
        self._hidden, self._width = Ragged(found, offsets), found.shape[1]
        own = np.ones(count) if change.weights is None else change.weights
        extra = [1.0] * len(change.copies) + [0.0] * len(change.partners)
        encoded = Encoded(
            Task.CLASSIFY,
            Ragged(np.zeros(len(texts), np.int32), offsets),
            np.concatenate([np.arange(count), source]),
            np.concatenate([own, extra]).astype(np.float32),
            targets=np.concatenate([self.rows.labels, self.rows.labels[source]]),
        )
        learnt = count + len(change.copies)
        return encoded, np.arange(learnt), np.arange(learnt, len(texts))


def chances(layer: Any, vectors: np.ndarray) -> np.ndarray:
    """Class probabilities (N, C) of an output layer."""
    scores = torch.from_numpy(vectors.astype(np.float32)) @ layer["weight"].T + layer["bias"]
    return torch.softmax(scores, 1).double().numpy()


def limited(change: Change, most: int, seed: int) -> Change:
    """At most so many partners, drawn by seed."""
    dice = np.random.default_rng(seed)
    kept = np.sort(dice.permutation(len(change.partners))[:most])
    return replace(change, partners=tuple(change.partners[int(i)] for i in kept))


def flagged(labels: Sequence[str]) -> tuple[int, ...]:
    """The classes that flag a text."""
    return tuple(i for i, name in enumerate(labels) if name != "neither")
