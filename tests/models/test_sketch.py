"""What a sketch says of an encoder is what the loaded model says; what is unusual gives none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from luthier.core.errors import FixModel
from luthier.core.types import Task
from luthier.models.base import BaseSpec, load_base
from luthier.models.layers import can_cut, find_stack, linear_names
from luthier.models.places import locate
from luthier.models.sketch import sketch
from wordpiece import wordpiece

__all__ = ["wordpiece"]
TEXTS = ["Pays the BANK today!", "a  card\tfee, späte Gebühr 中文", "", "[SEP] was late [MASK]"]


def change(file: Path, **given: Any) -> None:
    content = json.loads(file.read_text(encoding="utf-8")) | given
    file.write_text(json.dumps(content), encoding="utf-8")


def agrees(folder: Path) -> None:
    found, base = sketch(folder), load_base(BaseSpec(str(folder)), Task.CLASSIFY)
    assert found is not None
    stack = find_stack(base.network)
    assert (found.layers, found.width) == (stack.layers, base.width)
    assert found.longest_input == base.longest_input
    assert found.parameters == sum(p.numel() for p in base.network.parameters())
    last = base.network.get_submodule(f"{stack.path}.{stack.layers - 1}")
    assert found.per_layer == sum(p.numel() for p in last.parameters())
    for top in (None, 1, stack.layers):
        assert sorted(found.names(top)) == sorted(linear_names(base.network, stack, top))
    for name, (given, made) in found.linears.items():
        layer: Any = base.network.get_submodule(name)
        assert (layer.in_features, layer.out_features) == (given, made)
    assert found.inner == base.config.intermediate_size
    assert can_cut(base.network) is None
    same_tokens(found.tokenizer.backend_tokenizer, base.tokenizer.backend_tokenizer)


def same_tokens(ours: Any, theirs: Any) -> None:
    built = [json.loads(t.to_str()) for t in (ours, theirs)]
    for content in built:
        content.pop("padding"), content.pop("truncation")
    assert built[0] == built[1]
    for tokenizer in (ours, theirs):
        tokenizer.no_truncation()
        tokenizer.no_padding()
    for text in TEXTS:
        assert ours.encode(text).ids == theirs.encode(text).ids


def test_a_saved_model(wordpiece: Path) -> None:
    agrees(wordpiece)


def test_the_embedded_encoder() -> None:
    agrees(Path(locate("embedded:encoder")))


@pytest.mark.parametrize(
    ("file", "given"),
    [
        ("config.json", {"max_position_embeddings": 256, "pad_token_id": 0}),
        ("tokenizer_config.json", {"model_max_length": 32}),
        ("tokenizer_config.json", {"model_max_length": 10**30}),
        ("tokenizer_config.json", {"tokenizer_class": "BertTokenizerFast"}),
    ],
)
def test_harmless_settings(wordpiece: Path, file: str, given: dict[str, Any]) -> None:
    change(wordpiece / file, **given)
    agrees(wordpiece)


def test_weights_under_the_name_of_the_whole_model(wordpiece: Path) -> None:
    file = wordpiece / "model.safetensors"
    weights = {f"bert.{name}": tensor for name, tensor in load_file(str(file)).items()}
    save_file(weights, str(file), metadata={"format": "pt"})
    agrees(wordpiece)


@pytest.mark.parametrize(
    ("file", "given"),
    [
        ("config.json", {"model_type": "roberta"}),
        ("config.json", {"architectures": ["BertLMHeadModel"]}),
        ("config.json", {"is_decoder": True}),
        ("config.json", {"quantization_config": {"bits": 4}}),
        ("config.json", {"num_hidden_layers": 4}),
        ("config.json", {"hidden_size": 48}),
        ("config.json", {"intermediate_size": "48"}),
        ("config.json", {"num_attention_heads": 5}),
        ("config.json", {"hidden_act": "quick_gelu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("tokenizer_config.json", {"do_lower_case": False}),
        ("tokenizer_config.json", {"strip_accents": True}),
        ("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"}),
        ("tokenizer_config.json", {"cls_token": "<s>"}),
        ("tokenizer_config.json", {"extra_special_tokens": ["<mark>"]}),
        ("tokenizer.json", {"post_processor": None}),
        ("tokenizer.json", {"added_tokens": []}),
        ("tokenizer.json", {"normalizer": {"type": "Lowercase"}}),
    ],
)
def test_unusual_settings_give_none(wordpiece: Path, file: str, given: dict[str, Any]) -> None:
    assert sketch(wordpiece) is not None
    change(wordpiece / file, **given)
    assert sketch(wordpiece) is None


def _without(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def _with(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_text("{}", encoding="utf-8")  # type: ignore[func-returns-value]


def _lost(folder: Path) -> None:
    file = str(folder / "model.safetensors")
    weights = load_file(file)
    weights.pop("encoder.layer.1.output.dense.bias")
    save_file(weights, file, metadata={"format": "pt"})


def _wide(folder: Path) -> None:
    file = str(folder / "model.safetensors")
    weights = load_file(file)
    weights["embeddings.LayerNorm.bias"] = torch.zeros(33)
    save_file(weights, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    "damage",
    [
        _without("tokenizer.json"),
        _without("tokenizer_config.json"),
        _with("adapter_config.json"),
        _with("added_tokens.json"),
        _lost,
        _wide,
    ],
)
def test_unusual_files_give_none(wordpiece: Path, damage: Callable[[Path], None]) -> None:
    damage(wordpiece)
    assert sketch(wordpiece) is None


def test_other_encoders_give_none(bert: Path) -> None:
    assert sketch(bert) is None


def test_broken_weights_are_refused(wordpiece: Path) -> None:
    file = wordpiece / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(FixModel, match="cut off"):
        sketch(wordpiece)
