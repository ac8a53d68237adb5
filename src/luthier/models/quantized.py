"""Bases held in 8 or 4 bits by bitsandbytes, and the way back to full numbers."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luthier.core.errors import FixModel, FixRecipe, need_extra

if TYPE_CHECKING:
    from luthier.models.base import Base, BaseSpec

DEVICES = ("cpu", "cuda")


def quantization(spec: BaseSpec) -> dict[str, Any]:
    """What transformers must be told to load a base in fewer bits; nothing for `none`.

    4-bit weights are NormalFloat4 with quantised scales, and products are made in the base's
    number format. Source: Dettmers et al. 2023 (QLoRA), section 3; Dettmers et al. 2022
    (LLM.int8()).

    Raises: InstallExtra without bitsandbytes, FixModel for a device it cannot use.
    """
    if spec.quantize == "none":
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise need_extra("quantize", "bitsandbytes", f"model.quantize: {spec.quantize}")
    if spec.device.partition(":")[0] not in DEVICES:
        raise FixModel(
            "model.quantize",
            f"{spec.quantize} on the device {spec.device}",
            f"a device of kind {' or '.join(DEVICES)}",
            "set model.quantize: none",
        )
    from transformers import BitsAndBytesConfig

    # It would say on every product that inputs become float16, which is how 8 bits work.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    if spec.quantize == "8bit":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, spec.precision),
        )
    }


def is_plain(layer: nn.Module) -> bool:
    """Whether a layer is a linear layer whose weights are held as they are."""
    return type(layer) is nn.Linear


def refuse_lossy_norms(model: nn.Module, names: list[str]) -> None:
    """DoRA reads the norms of the frozen weights, and PEFT loses the scales of 8-bit weights on a
    CPU when it does so.

    Raises: FixRecipe when one of the layers called `names` is of that kind.
    """
    for name in names:
        weight = model.get_submodule(name).weight
        if type(weight).__name__ == "Int8Params" and weight.device.type == "cpu":
            raise FixRecipe(
                "adapter.decomposed",
                "DoRA on a base held in 8bit does not work on a CPU",
                "DoRA on a 4bit or whole base, or LoRA",
                "set model.quantize: 4bit, or adapter.decomposed: false",
            )


def dequantized(base: Base) -> Base:
    """The same base with the weights it computes with, in its number format.

    The network of `base` itself is changed; a base that is not quantised comes back as it is.
    """
    if base.spec.quantize == "none":
        return base
    network: Any = base.network
    network = network.dequantize(dtype=getattr(torch, base.spec.precision))
    # PEFT goes by these marks, which stay behind, and would take the layers for packed ones.
    network.is_loaded_in_4bit = network.is_loaded_in_8bit = False
    network.requires_grad_(False)
    return replace(base, network=network, spec=replace(base.spec, quantize="none"))
