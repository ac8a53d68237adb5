"""Which layers hold trained parameters, and by which rule each is reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from luthier.core.errors import FixRecipe
from luthier.models.adapters.fused import FusedLoraLinear
from luthier.models.network import Network
from luthier.train.units.layers import (
    EmbeddingRule,
    LayerRule,
    LinearRule,
    LocalRule,
    NormRule,
)

LINEAR, EMBEDDING, NORM, LOCAL = LinearRule(), EmbeddingRule(), NormRule(), LocalRule()


@dataclass(frozen=True)
class Watched:
    """A layer, the names of its trained parameters, and the rule that reaches them.

    `fused` layers tell their own story while the gradient passes through them.
    """

    place: str
    module: nn.Module
    names: tuple[str, ...]
    rule: LayerRule
    fused: bool = False

    @property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """The trained parameters, in the order of their names."""
        return tuple(self.module.get_parameter(name) for name in self.names)


def watched_layers(network: Network) -> list[Watched]:
    """Every layer with trained parameters; a parameter shared by two layers appears in both.

    Raises: FixRecipe for a parameter that no rule reaches.
    """
    found = list(_watched(network, ""))
    reached = {id(p) for layer in found for p in layer.parameters}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and id(parameter) not in reached:
            raise _unreached(name)
    return found


def _watched(module: nn.Module, place: str) -> Iterator[Watched]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    if isinstance(module, BaseTunerLayer):
        yield from _adapted(module, place)
        return
    own = tuple(n for n, p in module.named_parameters(recurse=False) if p.requires_grad)
    if own:
        yield Watched(place, module, own, rule_for(module))
    for name, child in module.named_children():
        yield from _watched(child, f"{place}.{name}" if place else name)


def _adapted(module: Any, place: str) -> Iterator[Watched]:
    """The layers of a PEFT layer: low-rank factors are linear layers, all else goes as a whole."""
    names = tuple(n for n, p in module.named_parameters() if p.requires_grad)
    factors = [n for n in names if n.startswith(("lora_A.", "lora_B."))]
    if not names:
        return
    if len(factors) < len(names):
        yield Watched(place, module, names, LOCAL)
        return
    if isinstance(module, FusedLoraLinear) and module.plain_when_trained:
        yield Watched(place, module, names, LINEAR, fused=True)
    for name in dict.fromkeys(n.rsplit(".", 1)[0] for n in names):
        child = module.get_submodule(name)
        own = tuple(n for n, p in child.named_parameters(recurse=False) if p.requires_grad)
        yield Watched(f"{place}.{name}", child, own, rule_for(child))


def rule_for(module: nn.Module) -> LayerRule:
    """By exact type: a subclass may compute something else."""
    known: dict[type, LayerRule] = {
        nn.Linear: LINEAR,
        nn.Embedding: EMBEDDING,
        nn.LayerNorm: NORM,
    }
    return known.get(type(module), LOCAL)


def _unreached(name: str) -> FixRecipe:
    return FixRecipe(
        f"gradients of single texts, parameter {name}",
        "no rule finds the gradient of each text for it",
        advice="train other layers: adapter.kind: lora, or adapter.targets",
    )
