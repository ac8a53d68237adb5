"""The tiny models the contract is tested with."""

from __future__ import annotations

from tiny import bert, llama

__all__ = ["bert", "llama"]
