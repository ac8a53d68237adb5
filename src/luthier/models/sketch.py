"""A base model known from its files alone, so that a run is planned before tensors are loaded.

Only BERT encoders in their plain form are known, as their parameters and their tokenizer follow
from a few settings. Whatever is unusual gives no sketch; the model is then loaded to look at it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.models.files import check_weights

_SIZES = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "vocab_size", "max_position_embeddings", "type_vocab_size",
)  # fmt: skip
_UNUSUAL = (
    "add_cross_attention", "auto_map", "embedding_size", "is_decoder", "is_encoder_decoder",
    "layer_types", "pruned_heads", "quantization_config",
)  # fmt: skip
_SPECIAL = {
    "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}  # fmt: skip
_MORE_TOKENS = ("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens")
_UNLIMITED = 10**7
"""From here on a stated length is no limit."""


@dataclass(frozen=True)
class FileTokenizer:
    """A tokenizer straight from its file."""

    backend_tokenizer: Any
    is_fast: bool = True

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of some tokens."""
        return str(self.backend_tokenizer.decode(list(ids), skip_special_tokens))


@dataclass(frozen=True)
class Sketch:
    """Sizes of an encoder; `linears` are the inputs and outputs of its linear layers by name."""

    layers: int
    width: int
    inner: int
    longest_input: int
    parameters: int
    per_layer: int
    linears: dict[str, tuple[int, int]]
    tokenizer: FileTokenizer

    def names(self, top_layers: int | None) -> list[str]:
        """Names of the linear layers in the top `top_layers` layers (None: in all)."""
        first = self.layers - (top_layers or self.layers)
        return [name for name in self.linears if int(name.split(".")[2]) >= first]


def sketch(folder: Path) -> Sketch | None:
    """The sketch of the encoder in a folder; None where its files do not tell for certain.

    Raises: FixModel for weights that are missing, pickled, truncated or corrupt.
    """
    check_weights(folder)
    config, weights = _read(folder / "config.json"), folder / "model.safetensors"
    others = [*folder.glob("*.index.json"), folder / "adapter_config.json"]
    if not _is_plain(config) or not weights.is_file() or any(f.exists() for f in others):
        return None
    head, layer = _parameters(config)
    wanted = head | {f"{at}.{k}": v for at in _layers(config) for k, v in layer.items()}
    tokenizer = _tokenizer(folder)
    if tokenizer is None or not _holds(weights, wanted):
        return None
    stated = _read(folder / "tokenizer_config.json").get("model_max_length") or _UNLIMITED
    limit = int(config["max_position_embeddings"])
    return Sketch(
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        inner=config["intermediate_size"],
        longest_input=min(limit, int(stated)) if stated < _UNLIMITED else limit,
        parameters=sum(map(_count, wanted.values())),
        per_layer=sum(map(_count, layer.values())),
        linears={
            name.removesuffix(".weight"): (shape[1], shape[0])
            for name, shape in wanted.items()
            if len(shape) == 2 and name.startswith("encoder.")
        },
        tokenizer=tokenizer,
    )


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_plain(config: dict[str, Any]) -> bool:
    sizes = [config.get(name) for name in _SIZES]
    if config.get("model_type") != "bert" or not all(type(s) is int and s > 0 for s in sizes):
        return False
    names = " ".join(config.get("architectures") or [])
    drops = [config.get(f"{which}_dropout_prob", 0.1) for which in ("hidden", "attention_probs")]
    return (
        not any(config.get(name) for name in _UNUSUAL)
        and "LMHead" not in names
        and config["hidden_size"] % config["num_attention_heads"] == 0
        and config.get("position_embedding_type", "absolute") == "absolute"
        and config.get("hidden_act", "gelu") in ("gelu", "relu")
        and all(isinstance(d, int | float) and 0 <= d < 1 for d in drops)
        and isinstance(config.get("pad_token_id", 0), int)
    )


def _layers(config: dict[str, Any]) -> list[str]:
    return [f"encoder.layer.{i}" for i in range(config["num_hidden_layers"])]


def _parameters(config: dict[str, Any]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Shapes of the embeddings' parameters, and of those of one layer."""
    width, inner = config["hidden_size"], config["intermediate_size"]

    def norm(name: str) -> dict[str, list[int]]:
        return {f"{name}.LayerNorm.weight": [width], f"{name}.LayerNorm.bias": [width]}

    def linear(name: str, given: int, made: int) -> dict[str, list[int]]:
        return {f"{name}.weight": [made, given], f"{name}.bias": [made]}

    embeddings = {
        f"embeddings.{name}_embeddings.weight": [config[size], width]
        for name, size in (
            ("word", "vocab_size"),
            ("position", "max_position_embeddings"),
            ("token_type", "type_vocab_size"),
        )
    }
    layer = {
        **linear("attention.self.query", width, width),
        **linear("attention.self.key", width, width),
        **linear("attention.self.value", width, width),
        **linear("attention.output.dense", width, width),
        **norm("attention.output"),
        **linear("intermediate.dense", width, inner),
        **linear("output.dense", inner, width),
        **norm("output"),
    }
    return embeddings | norm("embeddings"), layer


def _count(shape: list[int]) -> int:
    return shape[0] * (shape[1] if len(shape) == 2 else 1)


def _holds(weights: Path, wanted: dict[str, list[int]]) -> bool:
    """Whether the file holds every wanted parameter in its shape."""
    with weights.open("rb") as stream:
        found = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    prefix = "" if "embeddings.LayerNorm.weight" in found else "bert."
    return all(found.get(prefix + n, {}).get("shape") == shape for n, shape in wanted.items())


def _tokenizer(folder: Path) -> FileTokenizer | None:
    """The tokenizer of the file, where it is the one its settings would build."""
    file, settings = folder / "tokenizer.json", _read(folder / "tokenizer_config.json")
    if not file.is_file() or (folder / "added_tokens.json").exists():
        return None
    special = _read(folder / "special_tokens_map.json") | settings
    if any(_word(special.get(key, word)) != word for key, word in _SPECIAL.items()):
        return None
    if settings.get("tokenizer_class") not in ("BertTokenizer", "BertTokenizerFast"):
        return None
    if any(_more(special.get(key)) for key in _MORE_TOKENS):
        return None
    built = _read(file)
    model, added = built.get("model") or {}, built.get("added_tokens") or []
    words = model.get("vocab") or {}
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    expected = [
        {"id": words.get(word), "content": word, "special": True} | plain
        for word in sorted(_SPECIAL.values(), key=lambda word: words.get(word, -1))
    ]
    kind = {k: model.get(k) for k in ("type", "unk_token", "continuing_subword_prefix")}
    if (
        kind != {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##"}
        or model.get("max_input_chars_per_word") != 100
        or len(words) <= len(_SPECIAL)
        or added != expected
        or built.get("pre_tokenizer") != {"type": "BertPreTokenizer"}
        or built.get("decoder") != {"type": "WordPiece", "prefix": "##", "cleanup": True}
        or built.get("normalizer") != _normalizer(settings)
        or built.get("post_processor") != _ends(words)
    ):
        return None
    from tokenizers import Tokenizer

    return FileTokenizer(Tokenizer.from_file(str(file)))


def _word(token: Any) -> Any:
    return token.get("content") if isinstance(token, dict) else token


def _more(tokens: Any) -> bool:
    """Whether there are tokens beside the usual special ones."""
    listed = tokens.values() if isinstance(tokens, dict) else tokens or []
    return any(_word(token) not in _SPECIAL.values() for token in listed)


def _normalizer(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": settings.get("tokenize_chinese_chars", True),
        "strip_accents": settings.get("strip_accents"),
        "lowercase": settings.get("do_lower_case", True),
    }


def _ends(words: dict[str, int]) -> dict[str, Any]:
    first, last = ({"SpecialToken": {"id": word, "type_id": 0}} for word in ("[CLS]", "[SEP]"))
    single = [first, {"Sequence": {"id": "A", "type_id": 0}}, last]
    second = [
        {"Sequence": {"id": "B", "type_id": 1}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
    ]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *second],
        "special_tokens": {
            word: {"id": word, "ids": [words.get(word)], "tokens": [word]}
            for word in ("[CLS]", "[SEP]")
        },
    }
