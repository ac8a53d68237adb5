"""The tiny models every test here may ask for."""

from __future__ import annotations

from tiny import bert, llama

__all__ = ["bert", "llama"]
