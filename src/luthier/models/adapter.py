"""Adapters: which parameters exist beside the frozen base and which of all are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from luthier.models.layers import Stack


@dataclass(frozen=True)
class AdapterSite:
    """Where an adapter is attached."""

    model: nn.Module
    backbone: nn.Module
    backbone_path: str
    stack: Stack
    causal: bool
    seed: int


class Adapter(Protocol):
    """A way to make a frozen base trainable."""

    @property
    def name(self) -> str:
        """The published name, in short."""

    @property
    def top_layers(self) -> int | None:
        """How many of the last layers are touched; None for all."""

    def attach(self, site: AdapterSite) -> nn.Module:
        """The model with its trainable parameters switched on.

        Raises: FixRecipe when the model has nothing this adapter can be attached to.
        """

    def rate_factor(self) -> float:
        """Learning rate relative to full fine-tuning."""


def lowest_trained(adapter: Adapter, stack: Stack) -> int:
    """The first layer that is trained; everything below it is a frozen prefix."""
    return stack.layers - (adapter.top_layers or stack.layers)
