"""Where a Hugging Face model keeps its layers, and the same model cut at a layer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from luthier.core.errors import FixModel


@dataclass(frozen=True)
class Stack:
    """The layer list of a backbone: dotted path, and number of layers L."""

    path: str
    layers: int


class _Passthrough(nn.Module):
    """Stands in for embeddings when hidden states are given instead of tokens."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        position_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        past_key_values_length: int = 0,
        cache_length: int = 0,
        mask: Tensor | None = None,
    ) -> Tensor:
        """The hidden states as they came."""
        assert inputs_embeds is not None
        return inputs_embeds


class _Reached(Exception):
    """Carries the hidden states out of a forward pass that is not needed any further."""

    def __init__(self, hidden: Tensor) -> None:
        self.hidden = hidden
        super().__init__("the wanted layer was reached")


def find_stack(backbone: nn.Module) -> Stack:
    """The layer list whose length is the configured number of layers.

    Raises: FixModel for a model whose layers are not found.
    """
    config = backbone.config
    wanted = getattr(config, "num_hidden_layers", None) or getattr(config, "n_layers", None)
    for name, module in backbone.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted:
            return Stack(name, len(module))
    raise FixModel(
        f"model of type {getattr(config, 'model_type', '?')}", "its list of layers was not found"
    )


def linear_names(backbone: nn.Module, stack: Stack, top_layers: int | None) -> list[str]:
    """Dotted names of the linear layers in the top `top_layers` layers (None: in all)."""
    first = stack.layers - (top_layers or stack.layers)
    found = []
    for name, module in backbone.get_submodule(stack.path).named_modules():
        number = name.split(".")[0]
        is_linear = isinstance(module, nn.Linear) or type(module).__name__.startswith("Linear")
        if is_linear and number.isdigit() and int(number) >= first:
            found.append(f"{stack.path}.{name}")
    return found


def run_prefix(
    backbone: nn.Module, stack: Stack, below: int, given: Tensor, mask: Tensor | None
) -> Tensor:
    """Hidden states (B, T, D) that enter layer `below`; later layers are not run.

    `given` are tokens (B, T), or the hidden states (B, T, D) that enter the first layer.
    """

    entrance = {"inputs_embeds" if given.is_floating_point() else "input_ids": given}
    layer = backbone.get_submodule(stack.path)[below]  # type: ignore[index]
    with torch.no_grad():
        hidden = reached(layer, lambda: backbone(attention_mask=mask, **entrance))
    if hidden is None:
        raise FixModel("prefix cache", f"layer {below} was never run")
    return hidden


def reached(module: nn.Module, run: Callable[[], Any]) -> Tensor | None:
    """What `module` is first given while `run` runs, which ends there; None when it never is."""

    def stop(module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]) -> None:
        raise _Reached(args[0] if args else kwargs["hidden_states"])

    handle = module.register_forward_pre_hook(stop, prepend=True, with_kwargs=True)
    try:
        run()
    except _Reached as end:
        return end.hidden
    finally:
        handle.remove()
    return None


def upper_part(backbone: nn.Module, stack: Stack, below: int) -> nn.Module:
    """The backbone from layer `below` on, fed by `inputs_embeds`; it shares all parameters."""
    *parents, last = stack.path.split(".")
    top = shallow(backbone)
    holder = top
    for name in parents:
        inner = shallow(holder.get_submodule(name))
        holder._modules[name] = inner
        holder = inner
    layers = holder._modules[last]
    assert isinstance(layers, nn.ModuleList)
    holder._modules[last] = nn.ModuleList(list(layers)[below:])
    if "embeddings" in top._modules:
        top._modules["embeddings"] = _Passthrough()
    return top


def can_cut(backbone: nn.Module) -> str | None:
    """Why the model cannot be cut at a layer, or None when it can.

    Known are BERT-like encoders (embeddings as one module, no relative positions across layers)
    and Llama-like decoders that take `inputs_embeds` as they are. Layers must be of one type, as
    models look the type up by a layer's place, which a cut shifts.
    """
    config: Any = backbone.config
    kind = getattr(config, "model_type", "")
    if len(set(getattr(config, "layer_types", None) or [])) > 1:
        return "its layers are of several types"
    if getattr(config, "embedding_size", None) not in (None, config.hidden_size):
        return "it projects its embeddings before the first layer"
    if kind in ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert"):
        return None
    if kind in ("llama", "mistral", "qwen2", "qwen3", "smollm3"):
        return None
    return f"cutting a model of type {kind!r} at a layer is not proved equal"


def shallow(module: nn.Module) -> nn.Module:
    """The same module with a list of children of its own."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin
