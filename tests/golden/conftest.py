"""The tiny models the contract is tested with."""

from __future__ import annotations

from tiny import bert, llama, masked_bert

__all__ = ["bert", "llama", "masked_bert"]
