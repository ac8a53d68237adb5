"""The first layers of the embedded sentence encoder with the filters' adapter folded in.

Only what filters need is loaded, and transformers is not: a start takes a moment, and a piece of
text is one pass of two layers whatever number of filters reads it. Products are of whole numbers,
which take less time where a processor has instructions for them. The judges and their thresholds
were made with these states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from luthier.models.places import locate
from luthier.stages.safety.filtering.rounded import Rounded

HEADS = 12
"""Attention heads of all-MiniLM-L6-v2."""
EPSILON = 1e-12
MOST_TOKENS = 254
"""Tokens of one window, without its two marks."""
_LINEAR = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "mix": "attention.output.dense", "up": "intermediate.dense", "down": "output.dense",
}  # fmt: skip
_READ = "attention.self.read"
"""Query, key and value of a layer as one product: pieces are short, and calls cost."""


@dataclass(frozen=True)
class Window:
    """One window of a text: token ids (T,), their characters (T, 2), states of the last layer
    (T, D), all without the marks around them."""

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    states: NDArray[np.float32]


class Encoder:
    """Turns a piece of text into windows of hidden states; equal pieces give equal bits."""

    def __init__(
        self,
        tokenizer: Any,
        tensors: Mapping[str, Tensor],
        products: Mapping[str, Callable[[Tensor], Tensor]],
        layers: int,
    ) -> None:
        self._tokenizer, self._t, self._layers = tokenizer, tensors, layers
        self._products = products

    @staticmethod
    def load(adapter: Mapping[str, Tensor], layers: int) -> Encoder:
        """The encoder of the embedded package with `adapter` (low-rank factors by layer) folded in.

        Raises: InstallExtra when the package is not installed.
        """
        from tokenizers import Tokenizer

        folder = Path(locate("embedded:encoder"))
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tensors: dict[str, Tensor] = {}
        wanted = ("embeddings.", *(f"encoder.layer.{i}." for i in range(layers)))
        with safe_open(str(folder / "model.safetensors"), "pt") as file:
            for name in file.keys():  # noqa: SIM118
                if name.startswith(wanted) and not name.endswith("position_ids"):
                    tensors[name] = file.get_tensor(name).float()
        products = {}
        for place in (f"encoder.layer.{layer}." for layer in range(layers)):
            parts = {n: _taken(tensors, adapter, place + where) for n, where in _LINEAR.items()}
            read = zip(*(parts.pop(name) for name in ("query", "key", "value")), strict=True)
            products[place + _READ] = Rounded.of(*map(torch.cat, read))
            for name, (weight, bias) in parts.items():
                products[place + _LINEAR[name]] = Rounded.of(weight, bias)
        return Encoder(tokenizer, tensors, products, layers)

    def windows(self, text: str) -> list[Window]:
        """The windows of a text, one after the other; none for a text without tokens."""
        coded = self._tokenizer.encode(text, add_special_tokens=False)
        ids = np.asarray(coded.ids, np.int64)
        offsets = np.asarray(coded.offsets, np.int64).reshape(-1, 2)
        return [
            Window(ids[i : i + MOST_TOKENS], offsets[i : i + MOST_TOKENS], self._states(part))
            for i in range(0, len(ids), MOST_TOKENS)
            if len(part := ids[i : i + MOST_TOKENS])
        ]

    def _states(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        marked = torch.from_numpy(np.concatenate([[101], ids, [102]]))
        with torch.inference_mode():
            return np.asarray(self._run(marked)[1:-1].numpy())

    def _run(self, ids: Tensor) -> Tensor:
        t = self._t
        hidden = (
            functional.embedding(ids, t["embeddings.word_embeddings.weight"])
            + t["embeddings.position_embeddings.weight"][: len(ids)]
            + t["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._norm(hidden, "embeddings.LayerNorm")
        for layer in range(self._layers):
            hidden = self._layer(hidden, f"encoder.layer.{layer}.")
        return hidden

    def _layer(self, hidden: Tensor, place: str) -> Tensor:
        read = self._products[place + _READ](hidden).view(1, len(hidden), 3, HEADS, -1)
        query, key, value = read.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)[0]
        mixed = self._products[place + _LINEAR["mix"]](mixed.transpose(0, 1).flatten(1))
        hidden = self._norm(hidden + mixed, place + "attention.output.LayerNorm")
        raised = functional.gelu(self._products[place + _LINEAR["up"]](hidden))
        lowered = self._products[place + _LINEAR["down"]](raised)
        return self._norm(hidden + lowered, place + "output.LayerNorm")

    def _norm(self, value: Tensor, place: str) -> Tensor:
        weight, bias = self._t[place + ".weight"], self._t[place + ".bias"]
        return functional.layer_norm(value, (value.shape[-1],), weight, bias, EPSILON)


def _taken(
    tensors: dict[str, Tensor], adapter: Mapping[str, Tensor], place: str
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer out of `tensors`, with its low-rank factors folded in."""
    weight, bias = tensors.pop(f"{place}.weight"), tensors.pop(f"{place}.bias")
    if f"{place}.a" in adapter:
        weight = weight + adapter[f"{place}.b"].float() @ adapter[f"{place}.a"].float()
    return weight, bias
