"""The shape both sides train: Llama 3.1 8B with random weights, rows of random tokens."""

from __future__ import annotations

import random
from typing import Any

WINDOW, ROWS = 4096, 512
SHAPE: dict[str, Any] = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
}
SMALL = SHAPE | {
    "hidden_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 512,
    "vocab_size": 1000,
}
PEAK_TFLOPS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40S": 362.0, "4090": 165.0}
"""Dense bfloat16, from the makers' data sheets."""


def rows(vocabulary: int) -> list[list[int]]:
    """Token rows of 64 to 1024 tokens, the same for both sides."""
    source = random.Random(0)
    return [
        [source.randrange(10, vocabulary) for _ in range(source.randint(64, 1024))]
        for _ in range(ROWS)
    ]


def flops_per_token(shape: dict[str, Any]) -> float:
    """Forward and backward of a frozen base: 4 per weight and token, no weight gradients.

    Recomputation of activations is not counted, as is usual for model FLOP utilisation
    (Chowdhery et al. 2022, appendix B). Attention within rows is left out.
    """
    width, inner = shape["hidden_size"], shape["intermediate_size"]
    share = shape["num_key_value_heads"] / shape["num_attention_heads"]
    layer = width * width * (2 + 2 * share) + 3 * width * inner
    return 4.0 * (shape["num_hidden_layers"] * layer + width * shape["vocab_size"])
