"""A step: what is wanted, how gradients are taken, how parameters follow them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from luthier.data.feed.batch import Batch, LogicalBatch
from luthier.models.losses import Losses
from luthier.models.network import Network


class Objective(Protocol):
    """Per-example losses of a batch."""

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        """The losses."""


@dataclass(frozen=True)
class Gradient:
    """What a gradient rule found: the mean loss, and how the gradient was made.

    The loss is None where it must not be looked at.
    """

    loss: float | None
    examples: int
    tokens: int


class GradientRule(Protocol):
    """Leaves the gradient of one logical batch in `parameter.grad`."""

    def __call__(self, objective: Objective, network: Network, batch: LogicalBatch, /) -> Gradient:
        """The gradient of the mean loss over the logical batch."""


class UpdateRule(Protocol):
    """Optimiser and schedule."""

    def start(self, trainable: Mapping[str, nn.Parameter]) -> Optimizer:
        """A fresh optimiser state for these parameters."""

    def apply(
        self, trainable: Mapping[str, nn.Parameter], optimizer: Optimizer, step: int
    ) -> float:
        """Moves the parameters at update number `step`; returns the norm before clipping."""


@dataclass(frozen=True)
class Step:
    """A value of three parts; `but` replaces one."""

    objective: Objective
    gradient: GradientRule
    update: UpdateRule

    def but(
        self,
        objective: Objective | None = None,
        gradient: GradientRule | None = None,
        update: UpdateRule | None = None,
    ) -> Step:
        """The same step with some parts replaced."""
        given: dict[str, Any] = {"objective": objective, "gradient": gradient, "update": update}
        return replace(self, **{name: part for name, part in given.items() if part is not None})


def largest_move(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> float:
    """Largest absolute change of any parameter."""
    moves = (float((after[n].detach() - t).abs().max()) for n, t in before.items() if t.numel())
    return max(moves, default=0.0)
