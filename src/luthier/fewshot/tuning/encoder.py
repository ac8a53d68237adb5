"""An encoder that is tuned to some rows, asked, and put back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from luthier.core.seeds import derive
from luthier.data.feed.batches import BatchPlan, collate, sequential
from luthier.data.feed.ragged import Ragged
from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.forms.centred import around
from luthier.fewshot.rung import Asked, Known, Tuned
from luthier.fewshot.rungs.linear import worth
from luthier.fewshot.tuning.batches import ClassBatches, labelled
from luthier.fewshot.tuning.objective import Closer
from luthier.models.adapter import AdapterSite
from luthier.models.adapters.lora import LowRank
from luthier.models.base import Base, stated_pooling
from luthier.models.layers import can_cut, find_stack
from luthier.models.network import Network
from luthier.train.fit import fit
from luthier.train.gradients.plain import PlainGradient
from luthier.train.schedule import RateSchedule
from luthier.train.state import Budget, TrainingState
from luthier.train.step import Step
from luthier.train.updates.rules import Descent

BATCH, PASSES, FEWEST, MOST = 32, 2400, 3, 20
"""Rows of an update; rows seen in all, within so many epochs."""
RATE, HEAD_RATE = 1e-3, 10.0
RANK = 8
"""Rank of the updates, in the upper half of the layers."""
SHARE, WHOLE_FROM = 0.4, 1000
"""The least share of the way from the untouched weights to the tuned ones that is gone, and rows
from which all of it is: with few labels a point between knows what both ends know, and is better
than either."""
KEPT_BYTES = 1_000_000_000
"""Hidden states of the frozen layers are kept up to this size."""
SPEED = {"cpu": 5e10, "cuda": 1e13}
"""Products and sums per second that are counted on, by kind of device."""


@dataclass(eq=False)
class Tunable:
    """An encoder whose upper layers can take low-rank updates; the base is shared and stays whole.

    The frozen layers below are run once for each text, however often it is tuned to or read.
    `share` of each update is kept once it is tuned, by the number of rows where it is None.

    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (weights between the
    untouched and the tuned ones).
    """

    base: Base
    pad_id: int
    passes: int = PASSES
    share: float | None = None
    adapter: LowRank = field(init=False)
    _kept: dict[bytes, NDArray[np.float32]] = field(default_factory=dict)
    _bytes: int = 0

    def __post_init__(self) -> None:
        layers = find_stack(self.base.network).layers
        self.adapter = LowRank(RANK, 2.0 * RANK, top_layers=-(-layers // 2))

    def seconds(self, known: Known) -> float:
        """What tuning to these rows takes, from the sizes of layers and texts alone: the same on
        every machine, so that a choice that depends on it can be repeated."""
        rows = _both(known)
        assert rows.tokens is not None
        longest = np.asarray([len(t) for t in rows.tokens])
        width, inner = self.base.width, int(getattr(self.base.config, "intermediate_size", 0))
        inner = inner or 4 * self.base.width
        layer = 4 * width * width + 2 * width * inner
        # Forward, and back through the same products; the updates themselves are small.
        work = 4.0 * layer * self._layers * longest.mean() * self._epochs(len(rows)) * len(rows)
        return float(work / SPEED["cuda" if self.base.spec.device != "cpu" else "cpu"])

    def tune(self, known: Known) -> Tuned:
        """The encoder after some epochs over the labelled rows and the descriptions."""
        rows = _both(known)
        assert rows.tokens is not None
        classes = len(known.labels)
        truth = np.concatenate([known.truth, np.arange(classes)])
        counts = np.concatenate([known.row_weights, worth(known)])
        plan = BatchPlan(BATCH, derive(known.seed, "tuning"), self.pad_id)
        with self.attached(known.seed) as network:
            encoded = labelled(Ragged.pack(rows.tokens, "int32"), truth, counts)
            batches = ClassBatches(encoded, plan, self._states(network, rows))
            steps = self._epochs(len(rows)) * batches.steps_per_epoch
            centre = known.centre
            network.output = _directions(around(centre, rows.vectors), truth, counts, classes)
            network.output.to(self.base.spec.device)
            step = Step(
                Closer(torch.as_tensor(centre, dtype=torch.float32, device=self.base.spec.device)),
                PlainGradient(self.base.spec.device),
                Descent(RATE, RateSchedule(steps, "linear", 0.1), head_rate=HEAD_RATE, fused=False),
            )
            state = TrainingState.begin(network, step.update, plan.seed, False)
            fit(state, step, batches, Budget(steps))
            network.output = None
            share = share_of(len(known.rows)) if self.share is None else self.share
            return Moved(self, partly(state.snapshot(), share))

    def read(self, asked: Asked, weights: dict[str, Tensor]) -> Asked:
        """The texts with the vectors that the tuned encoder gives them."""
        if not len(asked):
            return asked
        with self.attached(0) as network:
            fill_in(network, weights)
            states = self._states(network, asked)
            found = vectors_of(network, asked, self.base, self.pad_id, states)
            return replace(asked, vectors=found)

    @contextmanager
    def attached(self, seed: int) -> Iterator[Network]:
        """The base with fresh updates, which leave it as it was; afterwards they are taken off."""
        network = self.network(seed)
        try:
            yield network
        finally:
            network.model.unload()  # type: ignore[operator]
            self.base.network.requires_grad_(False)

    def network(self, seed: int) -> Network:
        """The base with fresh updates, for good."""
        backbone = self.base.network
        stack = find_stack(backbone)
        site = AdapterSite(backbone, backbone, "", stack, False, derive(seed, "adapter"))
        network = Network(self.adapter.attach(site), None, stated_pooling(self.base), "encoder")
        if self._cuts:
            network.cut_below(stack.layers - self._layers)
        return network

    def _epochs(self, rows: int) -> int:
        return max(FEWEST, min(MOST, round(self.passes / rows)))

    @property
    def _layers(self) -> int:
        return self.adapter.top_layers or find_stack(self.base.network).layers

    @property
    def _cuts(self) -> bool:
        whole = self._layers == find_stack(self.base.network).layers
        return not whole and can_cut(self.base.network) is None

    def _states(self, network: Network, asked: Asked) -> Ragged | None:
        """What enters the tuned layers for each text; None where it is not kept."""
        if not self._cuts:
            return None
        assert asked.tokens is not None
        keys = [np.asarray(t, np.int32).tobytes() for t in asked.tokens]
        if not self._keep(network, asked, keys):
            return None
        parts = [self._kept[key] for key in keys]
        ends = np.cumsum([0, *(len(part) for part in parts)])
        return Ragged(np.concatenate(parts), ends.astype(np.int64))

    def _keep(self, network: Network, asked: Asked, keys: list[bytes]) -> bool:
        """Runs the frozen layers for texts that are new; False when there is no room."""
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        places = np.asarray([i for k, i in first.items() if k not in self._kept], np.int64)
        fresh = asked.take(places)
        if not len(fresh):
            return True
        assert fresh.tokens is not None
        size = 4 * self.base.width * sum(len(t) for t in fresh.tokens)
        if self._bytes + size > KEPT_BYTES:
            return False
        self._bytes += size
        count = len(fresh)
        encoded = labelled(
            Ragged.pack(fresh.tokens, "int32"), np.zeros(count, np.int64), np.ones(count)
        )
        plan = BatchPlan(BATCH, 0, self.pad_id)
        below = find_stack(self.base.network).layers - self._layers
        network.mode(False, False)
        for part in sequential(encoded, np.arange(count), plan):
            batch = collate(encoded, part, plan).to(self.base.spec.device)
            states = network.prefix(batch, below).float().cpu().numpy()
            for line, place in enumerate(part):
                kept = states[line, : len(fresh.tokens[int(place)])].copy()
                self._kept[keys[int(places[int(place)])]] = kept
        return True


@dataclass(eq=False)
class Moved:
    """A tunable encoder at some weights; the texts it read last are remembered."""

    encoder: Tunable
    weights: dict[str, Tensor]
    _last: list[tuple[Asked, Asked]] = field(default_factory=list)

    def read(self, asked: Asked) -> Asked:
        """The same texts with tuned vectors."""
        for before, after in self._last:
            if before is asked:
                return after
        found = self.encoder.read(asked, self.weights)
        self._last = [*self._last[-3:], (asked, found)]
        return found


def vectors_of(
    network: Network, asked: Asked, base: Base, pad_id: int, hidden: Ragged | None = None
) -> FloatArray:
    """Pooled vectors (N, D) of texts by their tokens; `hidden` is what enters the layers above a
    cut, where the network has one."""
    assert asked.tokens is not None
    count = len(asked)
    encoded = labelled(
        Ragged.pack(asked.tokens, "int32"), np.zeros(count, np.int64), np.ones(count)
    )
    plan = BatchPlan(BATCH, 0, pad_id)
    network.mode(False, False)
    found = np.zeros((count, base.width))
    with torch.no_grad():
        for part in sequential(encoded, np.arange(count), plan):
            batch = collate(encoded, part, plan, hidden).to(base.spec.device)
            found[part] = network.pooled(batch).float().cpu().numpy()
    return found


def share_of(rows: int) -> float:
    """The share of an update that is kept after so many labelled rows.

    >>> share_of(24), share_of(700), share_of(5000)
    (0.4, 0.7, 1.0)
    """
    return min(1.0, max(SHARE, rows / WHOLE_FROM))


def partly(weights: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Low-rank updates of which a share is left: one factor of each product is scaled."""
    return {name: w * share if "lora_B" in name else w for name, w in weights.items()}


def fill_in(network: Network, weights: dict[str, Tensor]) -> None:
    """Puts low-rank updates into a network that has their places."""
    mine = dict(network.named_parameters())
    with torch.no_grad():
        for name, values in weights.items():
            mine[name].copy_(values)


def _both(known: Known) -> Asked:
    """Labelled rows, then descriptions."""
    rows, told = known.rows, known.described
    assert rows.tokens is not None and told.tokens is not None
    return Asked(
        [*rows.texts, *told.texts],
        np.concatenate([rows.vectors, told.vectors]),
        [*rows.tokens, *told.tokens],
    )


def _directions(
    level: FloatArray, truth: NDArray[np.int64], counts: FloatArray, classes: int
) -> nn.Linear:
    """A cosine head that begins at the weighted mean direction of each class."""
    layer = nn.Linear(level.shape[1], classes, bias=False)
    sums = np.zeros((classes, level.shape[1]))
    np.add.at(sums, truth, counts[:, None] * level)
    lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(sums / lengths, dtype=torch.float32))
    return layer
