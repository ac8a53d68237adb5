"""The gradient under differential privacy: bounded by unit, summed, blurred, divided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from luthier.core.errors import FixRecipe
from luthier.data.feed.batch import Batch, LogicalBatch
from luthier.models.network import Network
from luthier.train.private.audit import Canaries
from luthier.train.private.mechanism import Mechanism
from luthier.train.step import Gradient, Objective
from luthier.train.units.agree import check_sums
from luthier.train.units.layout import layout_of
from luthier.train.units.passing import pass_through
from luthier.train.units.room import Room
from luthier.train.units.watched import Watched, watched_layers
from luthier.train.world import World


@dataclass
class PrivateGradient:
    """Gradients by unit in one backward pass; noise once per logical step.

    `noise` gives the random numbers of a step's noise, `charge` is called before anything of the
    step's data is touched, `unit_of` names the unit of each row of the table (each row its own
    when None). Micro-batches are cut for memory alone. The loss is not reported: it is a number
    about private data that nothing accounts for.
    """

    mechanism: Mechanism
    noise: Callable[[], np.random.Generator]
    charge: Callable[[], None]
    unit_of: NDArray[np.int64] | None = None
    canaries: Canaries | None = None
    device: str = "cpu"
    world: World = field(default_factory=World)
    _layers: list[Watched] = field(default_factory=list)
    _sums: dict[int, Tensor] = field(default_factory=dict)
    _checked: bool = False
    _room: Room = field(default_factory=Room)

    def __call__(self, objective: Objective, network: Network, batch: LogicalBatch, /) -> Gradient:
        """Leaves the private gradient in `parameter.grad`; an empty batch leaves noise alone.

        Raises: FixRecipe at the first step for a trained parameter that no rule reaches.
        """
        self.charge()
        trained = [p for p in network.parameters() if p.requires_grad]
        if not self._layers:
            self._begin(network, trained)
        for parameter in trained:
            parameter.grad = None
        for total in self._sums.values():
            total.zero_()
        if self.canaries is not None:
            self.canaries.draw(len(batch.micro))
        self._add_all(objective, network, batch)
        sums = list(self._sums.values())
        generator = self.noise()
        if self.world.first:
            self.mechanism.blur(sums, generator)
        self.world.add_up(sums)
        self.mechanism.divide(sums)
        if self.canaries is not None:
            self.canaries.observe(sums)
        for parameter in trained:
            found = self._sums[id(parameter)][: parameter.numel()]
            parameter.grad = found.view(parameter.shape).to(parameter.dtype)
        return Gradient(None, 0, 0)

    def _begin(self, network: Network, trained: Sequence[nn.Parameter]) -> None:
        """Finds the layers, and makes room for the sums and the canaries beside them."""
        if network.in_parts:
            raise FixRecipe(
                "fast.shard",
                "a private run needs the whole model in every process",
                advice="set fast.shard: off",
            )
        self._layers = watched_layers(network)
        spare = self.canaries.place(len(trained)) if self.canaries is not None else 0
        for parameter in trained:
            room = parameter.numel() + spare
            self._sums[id(parameter)] = torch.zeros(room, device=self.device)

    def _add_all(self, objective: Objective, network: Network, batch: LogicalBatch) -> None:
        views = {
            id(p): self._sums[id(p)][: p.numel()].view(p.shape)
            for layer in self._layers
            for p in layer.parameters
        }
        if not batch.micro and self.canaries is not None and self.world.first:
            self.canaries.plant(0, self.mechanism, list(self._sums.values()))
        for number, micro in enumerate(batch):
            self._add(objective, network, micro.to(self.device), views, number)

    def _add(
        self,
        objective: Objective,
        network: Network,
        micro: Batch,
        views: dict[int, Tensor],
        number: int,
    ) -> None:
        """Adds the bounded gradients of one micro-batch, and the canaries that fell to it."""
        layout = layout_of(network, micro, self.unit_of)
        if not self._checked:
            check_sums(self._layers, objective, network, micro, layout)
            self._checked = True
        found = pass_through(self._layers, objective, network, micro, layout, self._room)
        found.add(self.mechanism.factors(found.norms), views)
        if self.canaries is not None and self.world.first:
            self.canaries.plant(number, self.mechanism, list(self._sums.values()))
