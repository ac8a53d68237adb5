"""Bases in 8 and 4 bits: they load, train, are saved for others, and are never merged coarsely."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from luthier.core.errors import FixModel, FixRecipe, InstallExtra
from luthier.core.types import Task
from luthier.models import quantized
from luthier.models.base import BaseSpec, load_base
from tiny import Bench, llama_config, losses_of, make_bench, save_model, sentences

pytestmark = pytest.mark.usefixtures("whole_blocks")

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="the package bitsandbytes is not installed: pip install 'luthier[quantize]'",
)
BITS = ("8bit", "4bit")


@needs_package
def test_peft_beside_the_package_says_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import luthier.models.adapters.fused"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "kernels" not in ended.stderr


def _logits(model: torch.nn.Module, ids: Tensor) -> Tensor:
    model.eval()
    with torch.no_grad():
        found: Tensor = model(input_ids=ids).logits
    return found


def _ids(bench: Bench) -> Tensor:
    return torch.tensor([bench.base.tokenizer(sentences(1, 9, 14)[0]).input_ids])


def _trained(folder: Path, bits: str, steps: int = 12) -> Bench:
    bench = make_bench(folder, Task.INSTRUCT, quantize=bits)  # type: ignore[arg-type]
    losses = losses_of(bench.train(steps, bench.batches()))
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    return bench


@needs_package
@pytest.mark.parametrize("bits", BITS)
def test_a_quantised_base_is_smaller_and_says_nearly_the_same(tmp_path: Path, bits: str) -> None:
    # As wide as a block: bitsandbytes rounds narrower rows wrongly on a processor.
    config = llama_config(hidden_size=64, intermediate_size=128)
    llama = save_model(tmp_path / "llama", config, causal=True)
    spec = BaseSpec(str(llama), quantize=bits)  # type: ignore[arg-type]
    held, whole = load_base(spec, Task.INSTRUCT), load_base(BaseSpec(str(llama)), Task.INSTRUCT)
    assert held.parameters == whole.parameters
    assert held.network.get_memory_footprint() < 0.75 * whole.network.get_memory_footprint()
    ids = torch.tensor([whole.tokenizer(sentences(1)[0]).input_ids])
    near, truth = _logits(held.network, ids), _logits(whole.network, ids)
    assert 0 < float((near - truth).norm() / truth.norm()) < {"8bit": 0.1, "4bit": 0.6}[bits]
    if bits == "4bit":
        # The rounding of the weights must be all that differs.
        assert 0 < _round_like(whole.network, held.network) < 0.12
        assert torch.allclose(near, _logits(whole.network, ids), atol=1e-4)


def _round_like(whole: Any, held: Any) -> float:
    """Gives the whole model the weights that the other one holds in four bits; the largest relative
    change of a layer."""
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    layers, changes = dict(whole.named_modules()), []
    for name, layer in held.named_modules():
        if isinstance(layer, Linear4bit):
            weight = layers[name].weight.data
            rounded = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
            changes.append(float((rounded - weight).norm() / weight.norm()))
            weight.copy_(rounded)
    return max(changes)


@needs_package
@pytest.mark.parametrize("bits", BITS)
def test_lora_learns_on_a_quantised_base_and_peft_opens_it(
    llama: Path, bits: str, tmp_path: Path
) -> None:
    from peft import PeftModel

    bench = _trained(llama, bits)
    ids = _ids(bench)
    untouched = load_base(bench.base.spec, Task.INSTRUCT).network
    assert not torch.equal(_logits(bench.network.model, ids), _logits(untouched, ids))
    bench.network.model.save_pretrained(str(tmp_path), safe_serialization=True)  # type: ignore[operator]
    opened = PeftModel.from_pretrained(untouched, str(tmp_path))
    assert torch.equal(_logits(opened, ids), _logits(bench.network.model, ids))


@needs_package
@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.TAG])
@pytest.mark.parametrize("bits", BITS)
def test_an_encoder_learns_on_a_quantised_base(bert: Path, bits: str, task: Task) -> None:
    bench = make_bench(bert, task, quantize=bits)  # type: ignore[arg-type]
    losses = losses_of(bench.train(12, bench.batches()))
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


@needs_package
@pytest.mark.parametrize("bits", BITS)
def test_the_prefix_of_a_quantised_base_can_be_kept(llama: Path, bits: str, tmp_path: Path) -> None:
    from luthier.models.adapters.lora import LowRank

    def run(kept: bool) -> list[float]:
        bench = make_bench(
            llama, Task.INSTRUCT, LowRank(rank=4, alpha=8.0, top_layers=1),
            quantize=bits,  # type: ignore[arg-type]
        )  # fmt: skip
        hidden = bench.prefix(2, tmp_path) if kept else None
        return losses_of(bench.train(4, bench.batches(hidden)))

    # 8-bit layers round by the largest value of a batch, padding among them.
    assert run(True) == pytest.approx(run(False), rel=1e-2 if bits == "8bit" else 1e-4)


@needs_package
def test_norms_that_would_be_lost_are_refused(llama: Path) -> None:
    from luthier.models.adapters.lora import LowRank

    with pytest.raises(FixRecipe, match=r"decomposed: DoRA on a base held in 8bit.*4bit"):
        make_bench(llama, Task.INSTRUCT, LowRank(rank=4, decomposed=True), quantize="8bit")


def test_without_the_package_the_extra_is_named(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantized.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InstallExtra, match=r"quantize: 4bit.*luthier\[quantize\]"):
        quantized.quantization(BaseSpec(str(llama), quantize="4bit"))


def test_a_device_that_cannot_do_it_is_named(llama: Path) -> None:
    with pytest.raises(FixModel, match=r"4bit on the device mps\. a device of kind cpu or cuda"):
        quantized.quantization(BaseSpec(str(llama), quantize="4bit", device="mps"))
