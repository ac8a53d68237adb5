"""What a trial costs, before it starts and while it runs: memory, time, latency."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import psutil
import torch

from luthier.data.feed.batches import BatchPlan, collate
from luthier.search.trial import UNITS, Config, Slice
from luthier.stages import planning
from luthier.stages.tuning.configured import DEPTH, adapted_layers
from luthier.stages.tuning.fitting import whole_run
from luthier.stages.tuning.member import Member
from luthier.stages.tuning.shared import SharedBase
from luthier.train.state import trainable

LATENCY_ROWS = 15


@dataclass
class TrialCosts:
    """Estimates per shape of trial; those of one shape are made once. Latency is measured of trials
    at their end, and with `always` at every look."""

    shared: SharedBase
    always: bool = False
    _memory: dict[str, planning.Costs] = field(default_factory=dict)
    _latency: dict[str, float] = field(default_factory=dict)

    def relative(self, config: Config) -> float:
        """A configuration's work per unit relative to the recipe as it stands.

        A kept prefix leaves the adapted layers' share of the work; without one the frozen layers
        still run forward, which is a third of training them.
        """
        layers = self.shared.shop.network.stack.layers
        depth = config.get(DEPTH)
        top = adapted_layers(str(depth), layers) if depth is not None else None
        share = (top or layers) / layers
        cached = self.shared.shop.recipe.fast.prefix_cache != "off"
        work = share if cached or share == 1 else share + (1 - share) / 3
        rank = 1 + 0.005 * float(config.get("adapter.rank", 16))
        batch = 1 + 1.5 / float(config.get("train.batch_size", 32))
        return max(0.05, work) * rank * batch

    def estimate(self, config: Config) -> planning.Costs:
        """Memory and time of a whole run with this configuration.

        Raises: LowerMemory when it does not fit into what is free.
        """
        key = _shape(config)
        if key not in self._memory:
            self._memory[key] = self.shared.estimate(config)
        return self._memory[key]

    def misfit(self, limits: dict[str, float]) -> Callable[[Config], str | None]:
        """Says why a configuration cannot be trained here or cannot meet a limit that is known
        before it starts; None when it can."""

        def why(config: Config) -> str | None:
            from luthier.core.errors import LowerMemory

            try:
                found = self.estimate(config)
            except LowerMemory as error:
                return str(error)
            free = psutil.virtual_memory().available / 1e6
            need = found.memory_mb - psutil.Process().memory_info().rss / 1e6
            if need > 0.95 * free:
                return f"it needs {found.memory_mb:.0f} MB and {free:.0f} MB are free"
            known = {"memory_mb": found.memory_mb, "train_seconds": found.seconds}
            for name, limit in limits.items():
                if known[name] > limit:
                    return f"{name} is expected to be {known[name]:.0f}, above {limit:g}"
            return None

        return why

    def measures(self, member: Member, piece: Slice) -> dict[str, float]:
        """What is known of a trial after a slice beside its metrics."""
        key = _shape(piece.config)
        if key not in self._memory:
            # The trial is on the base already; a second one beside it would be taken for a part.
            self._memory[key] = whole_run(member.shop)
        costs = self._memory[key]
        found = {
            "memory_mb": costs.memory_mb,
            "train_seconds": costs.seconds,
            "parameters": float(sum(p.numel() for p in trainable(member.shop.network).values())),
        }
        if self.always or piece.until >= UNITS:
            found["latency_ms"] = self._latency_of(member, piece.config)
        return found

    def _latency_of(self, member: Member, config: Config) -> float:
        """Median milliseconds of one row alone, forward only."""
        key = repr([config.get(DEPTH), config.get("adapter.rank")])
        if key not in self._latency:
            shop = member.shop
            rows = self.shared.halves.first[:LATENCY_ROWS]
            plan = BatchPlan(1, 0, shop.pad_id)
            shop.network.mode(False, False)
            taken = []
            with torch.no_grad():
                for row in rows:
                    batch = collate(shop.encoded, np.asarray([row]), plan).to(shop.device)
                    started = time.perf_counter()
                    shop.head.scores(shop.network, batch)
                    taken.append(1000 * (time.perf_counter() - started))
            self._latency[key] = round(float(np.median(taken)), 3)
        return self._latency[key]


def _shape(config: Config) -> str:
    """What memory and time of a whole run depend on."""
    return repr([config.get(k) for k in (DEPTH, "adapter.rank", "train.batch_size")])
