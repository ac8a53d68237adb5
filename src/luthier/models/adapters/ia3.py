"""IA3 through PEFT: learned scales on activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.core.errors import FixRecipe
from luthier.models.adapter import AdapterSite
from luthier.models.adapters.lora import targets_of

if TYPE_CHECKING:
    from torch import nn

_ATTENTION = ("key", "value", "k_proj", "v_proj", "k_lin", "v_lin", "query_key_value")
_FEEDFORWARD = ("down_proj", "output.dense", "lin2", "fc2", "dense_4h_to_h")


@dataclass(frozen=True)
class Ia3Scales:
    """Scales keys, values and the feed-forward activation.

    Source: Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning", section 3.3.
    """

    targets: tuple[str, ...] | None = None
    feedforward: tuple[str, ...] | None = None
    top_layers: int | None = None
    name: str = "ia3"

    def attach(self, site: AdapterSite) -> nn.Module:
        """A PEFT model with scales on the chosen layers.

        Raises: FixRecipe when the model has no layer of the usual names.
        """
        import torch
        from peft import IA3Config, TaskType, get_peft_model

        scaled = self.scaled(targets_of(site, self.targets, self.top_layers))
        torch.manual_seed(site.seed)
        model: nn.Module = get_peft_model(
            site.model,  # type: ignore[arg-type]
            IA3Config(
                target_modules=sorted(scaled),
                feedforward_modules=[n for n, inner in scaled.items() if inner],
                task_type=TaskType.CAUSAL_LM if site.causal else TaskType.FEATURE_EXTRACTION,
            ),
        )
        return model

    def scaled(self, names: Sequence[str]) -> dict[str, bool]:
        """Which of the layers are scaled, and whether at their input as feed-forward ones are.

        Raises: FixRecipe when none has a usual name.
        """
        attention = [n for n in names if n.rsplit(".", 1)[-1] in (self.targets or _ATTENTION)]
        inner = [
            n
            for n in names
            if any(n.endswith("." + f) for f in (self.feedforward or _FEEDFORWARD))
            and ".attention." not in n
        ]
        if not attention and not inner:
            raise FixRecipe(
                "adapter.targets",
                "no key, value or feed-forward layer was found",
                f"layers called {', '.join(sorted({n.rsplit('.', 1)[-1] for n in names}))}",
                "name them in adapter.targets and adapter.feedforward",
            )
        return dict.fromkeys(attention, False) | dict.fromkeys(inner, True)

    def rate_factor(self) -> float:
        """IA3 trains scales near one and bears a larger rate (Liu et al. 2022, appendix)."""
        return 30.0
