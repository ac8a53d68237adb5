"""The tiny models every test here may ask for."""

from __future__ import annotations

from tiny import bert, llama, masked_bert

__all__ = ["bert", "llama", "masked_bert"]
