"""Low-rank adaptation through PEFT: LoRA, rsLoRA and DoRA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.core.errors import FixRecipe, nearest
from luthier.models.adapter import AdapterSite

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LowRank:
    """Adds B A x, scaled, to linear layers.

    Source: Hu et al. 2021 (LoRA); Kalajdzievski 2023 (rank-stabilised scale);
    Liu et al. 2024 (DoRA).
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] | None = None
    top_layers: int | None = None
    rank_stabilised: bool = False
    decomposed: bool = False
    name: str = "lora"

    def attach(self, site: AdapterSite) -> nn.Module:
        """A PEFT model with low-rank updates on the chosen linear layers.

        Raises: FixRecipe for more layers than there are, or a target no layer is called.
        """
        import torch
        from peft import LoraConfig, TaskType, get_peft_model
        from torch import nn

        from luthier.models.adapters.fused import FusedLoraLinear
        from luthier.models.quantized import is_plain, refuse_lossy_norms

        names = targets_of(site, self.targets, self.top_layers)
        if self.decomposed:
            refuse_lossy_norms(site.model, names)
        torch.manual_seed(site.seed)
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]
            lora_dropout=self.dropout,
            target_modules=names,
            use_rslora=self.rank_stabilised,
            use_dora=self.decomposed,
            task_type=TaskType.CAUSAL_LM if site.causal else TaskType.FEATURE_EXTRACTION,
        )
        # PEFT's own way to bring a layer class; files and merging stay those of PEFT. Quantised
        # layers are linear layers too, and must get PEFT's class for their kind.
        if all(is_plain(site.model.get_submodule(name)) for name in names):
            config._register_custom_module({nn.Linear: FusedLoraLinear})
        model: nn.Module = get_peft_model(site.model, config)  # type: ignore[arg-type]
        return model

    def rate_factor(self) -> float:
        """Ten times the full rate (Schulman et al. 2025, "LoRA Without Regret")."""
        return 10.0


def targets_of(
    site: AdapterSite, wanted: tuple[str, ...] | None, top_layers: int | None
) -> list[str]:
    """Full names of the layers to adapt.

    Raises: FixRecipe when a wanted name matches no linear layer, or `top_layers` is too large.
    """
    from luthier.models.layers import linear_names

    refuse_too_many(top_layers, site.stack.layers)
    names = named(linear_names(site.backbone, site.stack, top_layers), wanted)
    prefix = f"{site.backbone_path}." if site.backbone_path else ""
    return [prefix + name for name in names]


def refuse_too_many(top_layers: int | None, layers: int) -> None:
    """Raises: FixRecipe for more layers than there are."""
    if top_layers is not None and top_layers > layers:
        raise FixRecipe("adapter.top_layers", f"it is {top_layers}", f"at most {layers}")


def named(names: Sequence[str], wanted: tuple[str, ...] | None) -> list[str]:
    """The linear layers whose last name is wanted; all when nothing is.

    Raises: FixRecipe when a wanted name matches none.
    """
    if wanted is not None:
        known = sorted({n.rsplit(".", 1)[-1] for n in names})
        for target in wanted:
            if not any(n == target or n.endswith("." + target) for n in names):
                near = nearest(target, known)
                raise FixRecipe(
                    "adapter.targets",
                    f"no linear layer is called {target!r}",
                    f"one of {', '.join(known)}",
                    f"did you mean {near!r}?" if near else "",
                )
        names = [n for n in names if any(n == t or n.endswith("." + t) for t in wanted)]
    return list(names)
