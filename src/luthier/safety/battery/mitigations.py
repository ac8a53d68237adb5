"""What brings lost safety back after training: names, and what each does to an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def average(model: nn.Module, share: float) -> None:
    """Moves a model with low-rank adapters towards its base: `share` of the update is kept.

    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT).
    """
    with torch.no_grad():
        for _, layer in _adapted(model):
            for part in layer.lora_B.values():
                part.weight.mul_(share)


def alignment(base: Mapping[str, Tensor], aligned: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What alignment changed: the differences of weights (out, in) that both models have."""
    return {
        name: aligned[name].float() - weight.float()
        for name, weight in base.items()
        if name in aligned and weight.ndim == 2 and weight.shape == aligned[name].shape
    }


def project(model: nn.Module, changed: Mapping[str, Tensor], threshold: float) -> list[str]:
    """Projects the updates that point away from alignment onto what alignment changed.

    `changed` are differences of weights by the layer's name in the plain model. The projection of
    a layer is V V^T / |V| from its difference V; it is used where the cosine between the update
    and its projection is below `threshold`. Returns the names of the projected layers; layers
    without a difference are left as they are.

    Source: Hsu et al. 2024, "Safe LoRA: the Silver Lining of Reducing Safety Risks when
    Fine-tuning Large Language Models", section 3.
    """
    done = []
    with torch.no_grad():
        for name, layer in _adapted(model):
            change = changed.get(f"{name}.weight")
            if change is None or not float(change.norm()):
                continue
            onto = change @ change.T / change.norm()
            for key, part in layer.lora_B.items():
                down = layer.lora_A[key].weight.float()
                update = part.weight.float() @ down
                moved = onto @ update
                if not float(update.norm()) or not float(moved.norm()):
                    continue
                cosine = float((update * moved).sum() / (update.norm() * moved.norm()))
                if cosine < threshold:
                    part.weight.copy_(onto @ part.weight.float())
                    done.append(name)
    return done


def _adapted(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Layers with low-rank updates, by their names in the plain model."""
    for name, layer in model.named_modules():
        parts = dict(layer.named_children())
        if "lora_A" in parts and "lora_B" in parts:
            yield name.removeprefix("base_model.model."), layer
