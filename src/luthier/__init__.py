"""Luthier: fine-tuning of language models, measured against the untouched base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from luthier.stages.api import evaluate, plan, predict, run

__all__ = ["__version__", "evaluate", "plan", "predict", "run"]


def __getattr__(name: str) -> Any:
    # Tensors are imported on first use, so that `luthier --help` comes at once.
    if name in ("evaluate", "plan", "predict", "run"):
        from luthier.stages import api

        return getattr(api, name)
    raise AttributeError(f"module 'luthier' has no attribute {name!r}")
