"""Attention as pictures: each head of each layer, and token to token."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

from luthier.explain.attribution import Passage
from luthier.explain.attributions.attention import attentions
from luthier.explain.subject import Subject

MOST = 48
"""A token-to-token table of more tokens cannot be read."""


def attention_view(subject: Subject, passage: Passage, tokenizer: Any) -> dict[str, Any]:
    """A picture for each head (L, H), the tokens, and the last layer's mean over heads (T, T).

    Raises: FixModel for a model whose kernel cannot show its weights.
    """
    layers = attentions(subject, passage.ids)
    tokens = [tokenizer.decode([int(t)]).strip() or "·" for t in passage.ids]
    mean = layers[-1].mean(0)
    return {
        "tokens": tokens[:MOST],
        "left_out": max(0, len(tokens) - MOST),
        "mean": np.round(mean[:MOST, :MOST], 4).tolist(),
        "heads": [[picture(head) for head in layer] for layer in layers],
    }


def picture(weights: np.ndarray) -> str:
    """A matrix of shares as a PNG in a data address; darker is more, each row scaled by itself."""
    rows = weights / np.maximum(weights.max(1, keepdims=True), 1e-9)
    grey = (255 * (1 - rows)).astype(np.uint8)
    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    size = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    parts = _chunk(b"IHDR", size) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")
    content = base64.b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode()
    return f"data:image/png;base64,{content}"


def _chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check
