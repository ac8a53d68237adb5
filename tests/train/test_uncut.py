"""Networks whose parameters cannot be held in parts say why."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from luthier.core.types import Task
from luthier.train.sharded import why_uncut
from tiny import Bench, make_bench


@pytest.fixture
def bench(bert: Path) -> Bench:
    """A classifier with LoRA."""
    return make_bench(bert, Task.CLASSIFY)


def test_plain_networks_can_be_cut(bench: Bench, llama: Path) -> None:
    assert why_uncut(bench.network) is None
    assert why_uncut(make_bench(llama, Task.INSTRUCT).network) is None


def test_packed_numbers(bench: Bench) -> None:
    packed = nn.Parameter(torch.zeros(4, dtype=torch.uint8), requires_grad=False)
    bench.network.model.register_parameter("packed", packed)
    assert why_uncut(bench.network) == "the parameter model.packed is held in uint8"


def test_a_single_number(bench: Bench) -> None:
    bench.network.model.register_parameter("scale", nn.Parameter(torch.tensor(1.0)))
    assert why_uncut(bench.network) == "the parameter model.scale is a single number"


def test_layers_that_share(bench: Bench) -> None:
    first, second, *_ = bench.network.backbone.get_submodule(bench.network.stack.path)
    second.output.LayerNorm.bias = first.output.LayerNorm.bias
    assert why_uncut(bench.network) == "its layers share parameters"


def test_a_layer_that_shares_with_the_rest(bench: Bench) -> None:
    layers = bench.network.backbone.get_submodule(bench.network.stack.path)
    bench.network.model.register_parameter("tied", layers[0].output.dense.bias)
    assert why_uncut(bench.network) == "the parameter model.tied belongs to a layer too"
