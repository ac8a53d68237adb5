"""Running out of memory, told as what was expected and what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from luthier.core.errors import LowerMemory, LuthierError
from luthier.models.places import EMBEDDED, locate
from luthier.recipe.model import Model

_BYTES = {"8bit": 1.0, "4bit": 0.6}
"""Bytes per parameter, scales of the blocks and unpacked embeddings included."""


def ran_out(error: BaseException | None) -> bool:
    """Whether an error says that memory ran out, on the processor's or the card's side."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


@contextmanager
def set_up_advice(place: str, section: Model) -> Iterator[None]:
    """Turns running out of memory before there is a plan into advice with an estimate.

    Raises: LowerMemory.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, LuthierError) or not ran_out(error):
            raise
        free = psutil.virtual_memory().available / 1e6
        raise LowerMemory(
            place,
            f"memory ran out; {_needed(section)}{free:.0f} MB of the machine's memory are free",
            advice=_lower(section),
        ) from error


def _needed(section: Model) -> str:
    size = weights_mb(section)
    return "" if size is None else f"the weights alone take about {size:.1f} MB and "


def weights_mb(section: Model) -> float | None:
    """Memory of the weights as they will be held, from the size of their files; None when those
    are not on this machine."""
    try:
        folder = Path(locate(section.id)) if section.id != "auto" else None
    except LuthierError:
        return None
    files = list(folder.glob("*.safetensors")) if folder is not None else []
    if not files:
        return None
    stored = sum(file.stat().st_size for file in files)
    return stored / 1e6 * _shrink(folder or Path(), section)


def _shrink(folder: Path, section: Model) -> float:
    """What holding the weights otherwise than they are stored does to their size."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    kept = (getattr(config, "dtype", None) or torch.float32).itemsize
    if section.quantize != "none":
        return _BYTES[section.quantize] / kept
    held = {"float32": 4, "auto": kept}.get(section.precision, 2)
    return held / kept


def _lower(section: Model) -> str:
    if section.quantize == "none":
        smaller = "set model.quantize: 4bit or model.precision: bfloat16, or choose"
    elif section.quantize == "8bit":
        smaller = "set model.quantize: 4bit, or choose"
    else:
        smaller = "choose"
    return f"{smaller} a smaller model such as {next(iter(EMBEDDED))}; lower model.max_tokens"
