"""No adapter: the base's own parameters are trained, or none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.core.errors import FixRecipe
from luthier.models.adapter import AdapterSite

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class FullParameters:
    """Every parameter, or those of the top layers."""

    top_layers: int | None = None
    name: str = "full"

    def attach(self, site: AdapterSite) -> nn.Module:
        """The same model with its parameters switched on.

        Raises: FixRecipe for more layers than there are.
        """
        if self.top_layers is None:
            site.model.requires_grad_(True)
            return site.model
        if self.top_layers > site.stack.layers:
            raise FixRecipe(
                "adapter.top_layers", f"it is {self.top_layers}", f"at most {site.stack.layers}"
            )
        layers = list(site.backbone.get_submodule(site.stack.path))  # type: ignore[call-overload]
        for layer in layers[site.stack.layers - self.top_layers :]:
            layer.requires_grad_(True)
        return site.model

    def rate_factor(self) -> float:
        """The reference of all other rates."""
        return 1.0


@dataclass(frozen=True)
class HeadAlone:
    """The base stays as it is; the output layer alone is trained."""

    name: str = "none"
    # Everything below the last layer is certainly frozen and may be run once per row.
    top_layers: int | None = 1

    def attach(self, site: AdapterSite) -> nn.Module:
        """The model unchanged."""
        return site.model

    def rate_factor(self) -> float:
        """A linear layer on fixed features bears a large rate."""
        return 10.0
