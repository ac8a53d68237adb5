"""Adapter and merged model agree; an update is never rounded away in a base of few bits."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from stage_place import Place, write_rows
from transformers import AutoModelForCausalLM, AutoTokenizer

from luthier.core.errors import CheckRun
from luthier.core.types import Task
from luthier.stages.parts.keeping import open_tuned
from luthier.stages.parts.merging import merge, merged
from luthier.store.store import Store
from tiny import Quiet, sentences, task_rows

pytestmark = pytest.mark.usefixtures("whole_blocks")

HAS_PACKAGE = importlib.util.find_spec("bitsandbytes") is not None
ADAPTERS: dict[str, Mapping[str, Any]] = {
    "lora": {},
    "dora": {"adapter.decomposed": True},
    "ia3": {"adapter.kind": "ia3"},
}


def _run(llama: Path, folder: Path, changes: Mapping[str, Any]) -> Path:
    rows = task_rows(Task.INSTRUCT, 48)
    write_rows(folder / "train.jsonl", rows[:40])
    write_rows(folder / "test.jsonl", rows[40:])
    place = Place(folder, Store.open(folder=folder / "home"), llama)
    return place.run({"task": "instruct", **changes}).path


def _needs(bits: str) -> None:
    if bits != "none" and not HAS_PACKAGE:
        pytest.skip("the package bitsandbytes is not installed: pip install 'luthier[quantize]'")


@pytest.mark.parametrize(
    ("bits", "adapter"),
    [
        ("none", "lora"), ("none", "dora"), ("none", "ia3"), ("8bit", "lora"), ("8bit", "ia3"),
        ("4bit", "lora"), ("4bit", "dora"), ("4bit", "ia3"),
    ],
)  # fmt: skip
def test_the_merged_model_is_the_tuned_one(
    llama: Path, tmp_path: Path, bits: str, adapter: str
) -> None:
    _needs(bits)
    run = _run(llama, tmp_path, {"model.quantize": bits, **ADAPTERS[adapter]})
    out = merge(run, tmp_path / "merged", Quiet())
    tensors = load_file(str(out / "model.safetensors"))
    assert {t.dtype for t in tensors.values()} == {torch.float32}
    alone, reads = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    assert getattr(alone.config, "quantization_config", None) is None
    tuned = open_tuned(run, Quiet())
    moved = 0.0
    for prompt in sentences(4, seed=5):
        ids = torch.tensor([reads(prompt).input_ids])
        with torch.no_grad():
            one, other = alone(input_ids=ids).logits, tuned.network.model(input_ids=ids).logits
            with tuned.network.model.disable_adapter():  # type: ignore[operator]
                before = tuned.network.model(input_ids=ids).logits
        # 8-bit products round their inputs too, which a merged model does not.
        bound = 0.1 if bits == "8bit" else 1e-4
        assert float((one - other).norm() / other.norm()) < bound
        moved = max(moved, float((other - before).norm() / before.norm()))
    assert moved > 1e-3


def test_a_merge_into_few_bits_is_refused(llama: Path, tmp_path: Path) -> None:
    _needs("4bit")
    run = _run(llama, tmp_path, {"model.quantize": "4bit"})
    with pytest.raises(CheckRun, match="base held in 4bit: an adapter merged into it would be"):
        merged(open_tuned(run, Quiet()))


def test_a_folder_in_use_is_left_alone(llama: Path, tmp_path: Path) -> None:
    run = _run(llama, tmp_path, {})
    (tmp_path / "mine").mkdir()
    with pytest.raises(CheckRun, match="mine: it is there already"):
        merge(run, tmp_path / "mine", Quiet())
    assert not list((tmp_path / "mine").iterdir())
